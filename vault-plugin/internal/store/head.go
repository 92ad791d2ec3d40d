package store

import "slices"

// Newest returns the metadata of the newest version.
func (h *Head) Newest() Version { return h.Versions[len(h.Versions)-1] }

// Version returns the metadata of version n. It returns false if the head does not hold that
// version.
func (h *Head) Version(n uint64) (Version, bool) {
	oldest := h.Versions[0].Number
	if n < oldest || n > h.Newest().Number {
		return Version{}, false
	}
	return h.Versions[n-oldest], true
}

// FirstInline returns the number of the oldest version whose value the head holds. That is the
// newest version if the head holds no older value.
func (h *Head) FirstInline() uint64 { return h.Newest().Number - uint64(len(h.Inline)) }

// Value returns the envelope of version n if the head holds it. The envelope of a destroyed version
// is empty. inline is false if the value of the version is under ver/.
func (h *Head) Value(n uint64) (sealed []byte, inline bool) {
	switch newest := h.Newest().Number; {
	case n > newest, n < h.FirstInline():
		return nil, false
	case n == newest:
		return h.Sealed, true
	default:
		return h.Inline[n-h.FirstInline()], true
	}
}

// WithValues returns a copy of the head in which change has replaced each envelope. change is
// called for each version whose value the head holds, oldest first. The envelope of a destroyed
// version is empty.
func (h *Head) WithValues(change func(v Version, sealed []byte) []byte) *Head {
	next := *h
	next.Inline = slices.Clone(h.Inline)
	held := h.Versions[len(h.Versions)-1-len(h.Inline):]
	for i, sealed := range h.Inline {
		next.Inline[i] = change(held[i], sealed)
	}
	next.Sealed = change(h.Newest(), h.Sealed)
	return &next
}

// MaySpill reports whether ver/ may hold a value of version n. Either the value belongs there, or a
// write that was interrupted has put it there.
func (h *Head) MaySpill(n uint64) bool {
	return n < h.FirstInline() || h.NeverSpilled == 0 || n < h.NeverSpilled
}
