// Package connect owns the provider's connection to Vault: the configuration block, the login, and
// the one connection that all resources share. It logs in when the first request is made. A
// configuration with unknown values therefore does not fail a plan that needs no request.
package connect

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// Connection is what a configured provider hands to its resources. Every Configure makes a new
// Connection, so a Connection lives for one run.
type Connection struct {
	settings settings
	unknown  []string // names of the attributes whose values are not known yet

	mu       sync.Mutex
	client   *client.Client
	loggedIn *api.Client // holds the token of a login, which Close revokes; nil for any other token
	metadata snapshots
}

// Client returns the client for a namespace, and logs in first if no request has done so yet. An
// empty namespace means the provider's own.
func (c *Connection) Client(ctx context.Context, namespace string) (*client.Client, error) {
	shared, err := c.shared(ctx)
	if err != nil || namespace == "" {
		return shared, err
	}
	return shared.WithNamespace(namespace), nil
}

func (c *Connection) shared(ctx context.Context) (*client.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	if len(c.unknown) > 0 {
		return nil, fmt.Errorf("the provider's %s is not known until apply, but a request to Vault is needed now; "+
			"use -target to apply the source of the value first", strings.Join(c.unknown, ", "))
	}
	vault, err := c.dial()
	if err != nil {
		return nil, err
	}
	if err := c.authenticate(ctx, vault); err != nil {
		return nil, err
	}
	c.client = client.New(vault, c.settings.mount)
	return c.client, nil
}

// dial creates a Vault client. It opens no connection yet.
func (c *Connection) dial() (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("read the environment variables of Vault: %w", withoutAddress(config.Error))
	}
	s := c.settings
	if s.address != "" {
		// VAULT_AGENT_ADDR must not override the configured address.
		config.Address, config.AgentAddress = s.address, ""
	}
	tls := api.TLSConfig{CACert: s.caCertFile, CAPath: s.caCertDir, TLSServerName: s.tlsServerName}
	if login := s.login; login != nil {
		tls.ClientCert, tls.ClientKey = login.values["cert_file"], login.values["key_file"]
	}
	if err := config.ConfigureTLS(&tls); err != nil {
		return nil, fmt.Errorf("TLS settings of the provider: %w", err)
	}
	if skip := s.skipTLSVerify; skip != nil {
		// ConfigureTLS cannot turn off VAULT_SKIP_VERIFY. DefaultConfig has made the transport.
		transport, _ := config.HttpClient.Transport.(*http.Transport)
		transport.TLSClientConfig.InsecureSkipVerify = *skip
	}
	vault, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("the provider's address: %w", withoutAddress(err))
	}
	vault.SetReadYourWrites(true)
	if s.namespace != "" {
		vault.SetNamespace(s.namespace)
	}
	return vault, nil
}

// authenticate sets the client's token: the token of a login, or a token that exists already. It
// creates no child token.
func (c *Connection) authenticate(ctx context.Context, vault *api.Client) error {
	if login := c.settings.login; login != nil {
		at := vault
		if login.namespace != "" {
			at = vault.WithNamespace(login.namespace)
		}
		token, err := login.token(ctx, at)
		if err != nil {
			return err
		}
		vault.SetToken(token)
		if login.method.name != tokenFile {
			// The token is revoked in the namespace in which the login created it.
			at.SetToken(token)
			c.loggedIn = at
		}
		return nil
	}
	if c.settings.token != "" {
		vault.SetToken(c.settings.token)
	}
	if vault.Token() != "" { // the client has read VAULT_TOKEN
		return nil
	}
	if home, err := os.UserHomeDir(); err == nil {
		if token, err := readFile("token", filepath.Join(home, ".vault-token")); err == nil {
			vault.SetToken(token)
			return nil
		}
	}
	return fmt.Errorf("no Vault token found: set VAULT_TOKEN, log in with the vault command, or give the provider an auth_login_ block")
}

// Close revokes the token of the connection's own login, so that the token does not outlive the
// run. A token that was configured is kept.
func (c *Connection) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loggedIn == nil {
		return nil
	}
	err := c.loggedIn.Auth().Token().RevokeSelfWithContext(ctx, "")
	c.client, c.loggedIn = nil, nil
	if err != nil {
		return fmt.Errorf("cannot revoke the token of the provider's login: %w", withoutAddress(err))
	}
	return nil
}
