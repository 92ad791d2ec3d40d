package connect

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// write stores a PEM block in a file.
func write(t *testing.T, name, kind string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The certificate of httptest is valid for 127.0.0.1 and example.com.
func TestTLSSettings(t *testing.T) {
	var shown int // certificates that the client sent
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = len(r.TLS.PeerCertificates)
		_, _ = w.Write([]byte(`{"auth": {"client_token": "t"}, "data": {"name": "acme"}}`))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	authority := write(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE", server.Certificate().Raw)
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keys := t.TempDir()
	own := connection(t, server.URL, certificate, values{
		"cert_file": write(t, filepath.Join(keys, "cert.pem"), "CERTIFICATE", server.Certificate().Raw),
		"key_file":  write(t, filepath.Join(keys, "key.pem"), "PRIVATE KEY", key),
	}).settings
	own.caCertFile = authority
	for _, c := range []struct {
		name     string
		settings settings
		env      map[string]string
		works    bool
		shown    int
	}{
		{"no authority", settings{}, nil, false, 0},
		{"a file", settings{caCertFile: authority}, nil, true, 0},
		{"a folder", settings{caCertDir: dir}, nil, true, 0},
		{"a file of the environment", settings{}, map[string]string{"VAULT_CACERT": authority}, true, 0},
		{"a server name", settings{caCertFile: authority, tlsServerName: "example.com"}, nil, true, 0},
		{"another server name", settings{caCertFile: authority, tlsServerName: "elsewhere.example"}, nil, false, 0},
		{"no check", settings{skipTLSVerify: new(true)}, nil, true, 0},
		{"no check, by the environment", settings{}, map[string]string{"VAULT_SKIP_VERIFY": "true"}, true, 0},
		{"a check in spite of the environment", settings{skipTLSVerify: new(false)}, map[string]string{"VAULT_SKIP_VERIFY": "true"}, false, 0},
		{"a login with a certificate", own, nil, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VAULT_MAX_RETRIES", "0")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			shown = 0
			if c.settings.address = server.URL; c.settings.login == nil {
				c.settings.token = "t"
			}
			err := uses(t, &Connection{settings: c.settings})
			if works := err == nil; works != c.works || shown != c.shown {
				t.Errorf("the request works: %t, with %d certificates (%v)", works, shown, err)
			}
		})
	}
}
