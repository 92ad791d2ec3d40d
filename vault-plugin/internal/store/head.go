package store

import "slices"

// Newest is the metadata of the newest version.
func (h *Head) Newest() Version { return h.Versions[len(h.Versions)-1] }

// Version finds the metadata of version n.
func (h *Head) Version(n uint64) (Version, bool) {
	oldest := h.Versions[0].Number
	if n < oldest || n > h.Newest().Number {
		return Version{}, false
	}
	return h.Versions[n-oldest], true
}

// FirstInline is the number of the oldest version whose value the head holds; where it holds no
// older one, that of the newest.
func (h *Head) FirstInline() uint64 { return h.Newest().Number - uint64(len(h.Inline)) }

// Value returns the envelope of version n if the head holds it. It is empty for a destroyed
// version; inline is false for a version whose value is under ver/.
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

// WithValues returns a copy of the head whose envelopes are what change returns for them. change is
// called for each version that the head holds, the oldest first; a destroyed one has an empty
// envelope.
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

// MaySpill reports whether ver/ may hold a value of version n: it is there, or was put there by a
// write that went no further.
func (h *Head) MaySpill(n uint64) bool {
	return n < h.FirstInline() || h.NeverSpilled == 0 || n < h.NeverSpilled
}
