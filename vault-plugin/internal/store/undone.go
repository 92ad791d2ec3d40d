package store

import "context"

// Undone is the record under undone/<id>, called a mark: the creation or deletion of the thing with
// this incarnation id has begun and has not ended. Package undone documents the rules.
type Undone struct {
	Kind Kind `cbor:"1,keyasint"`
	// Parent is the incarnation id of the parent; it is empty for a workspace.
	Parent ID `cbor:"2,keyasint,omitempty"`
	// Name is the name under the parent: provider/name for an integration, destination/name for a
	// sync.
	Name     string `cbor:"3,keyasint"`
	Deletion bool   `cbor:"4,keyasint,omitempty"` // false: a creation
}

func (u *Undone) wellFormed() bool {
	_, isKind := layouts[u.Kind]
	return isKind && u.Name != "" && u.Parent.wellFormed() == (u.Kind != KindWorkspace)
}

// Undone reads the mark of an id.
func (s *Store) Undone(ctx context.Context, id ID) (*Undone, error) {
	return get[Undone](ctx, s, undoneKey(id))
}

// PutUndone writes the mark of an id.
func (s *Store) PutUndone(ctx context.Context, id ID, r *Undone) error {
	return put(ctx, s, undoneKey(id), r)
}

// DeleteUndone removes the mark of an id.
func (s *Store) DeleteUndone(ctx context.Context, id ID) error {
	return s.storage.Delete(ctx, undoneKey(id))
}

// UndoneIDs lists the ids that have a mark.
func (s *Store) UndoneIDs(ctx context.Context) ([]ID, error) {
	names, err := s.list(ctx, undonePrefix)
	ids := make([]ID, len(names))
	for i, name := range names {
		ids[i] = ID(name)
	}
	return ids, err
}

// Exists reports whether the record that a mark is about is stored with the incarnation id that the
// mark names.
func (s *Store) Exists(ctx context.Context, id ID, u *Undone) (bool, error) {
	found, err := layouts[u.Kind].read(ctx, s, recordKey(u.Kind, u.Parent, u.Name))
	return found == id, err
}
