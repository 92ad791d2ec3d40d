package store

import "context"

// Schema reads core/schema.
func (s *Store) Schema(ctx context.Context) (*Schema, error) { return get[Schema](ctx, s, schemaKey) }

// PutSchema writes core/schema.
func (s *Store) PutSchema(ctx context.Context, r *Schema) error { return put(ctx, s, schemaKey, r) }

// Config reads core/config.
func (s *Store) Config(ctx context.Context) (*Config, error) { return get[Config](ctx, s, configKey) }

// PutConfig writes core/config.
func (s *Store) PutConfig(ctx context.Context, r *Config) error { return put(ctx, s, configKey, r) }

// Master reads core/master.
func (s *Store) Master(ctx context.Context) (*Master, error) { return get[Master](ctx, s, masterKey) }

// PutMaster writes core/master.
func (s *Store) PutMaster(ctx context.Context, r *Master) error { return put(ctx, s, masterKey, r) }

// Keys reads the key entry of a workspace.
func (s *Store) Keys(ctx context.Context, ws ID) (*Keys, error) {
	return get[Keys](ctx, s, keysKey(ws))
}

// PutKeys writes the key entry of a workspace.
func (s *Store) PutKeys(ctx context.Context, ws ID, r *Keys) error {
	return put(ctx, s, keysKey(ws), r)
}

// DeleteKeys destroys the key entry of a workspace.
func (s *Store) DeleteKeys(ctx context.Context, ws ID) error {
	return s.storage.Delete(ctx, keysKey(ws))
}

// KeyIDs lists the workspaces that have a key entry.
func (s *Store) KeyIDs(ctx context.Context) ([]ID, error) {
	names, err := s.list(ctx, keysPrefix)
	ids := make([]ID, len(names))
	for i, name := range names {
		ids[i] = ID(name)
	}
	return ids, err
}
