package vaulttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ServerName is a name in the certificate of each server, beside the loopback address. Tests of
// tls_server_name use it.
const ServerName = "vault.test"

// validity is longer than any run of the tests.
const validity = 48 * time.Hour

// identify makes a certificate authority for this server, and a certificate for the loopback
// address that the authority has signed. It writes both to the server's folder, and drops the key
// of the authority.
func (s *Server) identify() error {
	if s.options.PlainHTTP {
		return nil
	}
	authority, authorityKey, err := certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "vaulttest CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return err
	}
	own, key, err := certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "vaulttest"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{ServerName},
	}, authority, authorityKey)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	s.authority = inPEM("CERTIFICATE", authority.Raw)
	for path, content := range map[string][]byte{
		s.authorityFile(): s.authority, s.certificateFile(): inPEM("CERTIFICATE", own.Raw), s.keyFile(): inPEM("PRIVATE KEY", encoded),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// certificate completes a template, makes its key, and signs it with the key of the issuer. A nil
// issuer means a self-signed certificate.
func certificate(template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, nil, err
	}
	signed, err := x509.ParseCertificate(der)
	return signed, key, err
}

// CACertFile returns the path of the certificate authority that has signed the server's
// certificate, in PEM. It is empty for a server without TLS.
func (s *Server) CACertFile() string {
	if s.options.PlainHTTP {
		return ""
	}
	return s.authorityFile()
}

// CACertPEM returns the content of CACertFile.
func (s *Server) CACertPEM() string { return string(s.authority) }

// ClientEnv returns the environment variables with which Vault's command line, and any program that
// reads the same variables, connects to the server.
func (s *Server) ClientEnv(token string) []string {
	env := []string{"VAULT_ADDR=" + s.Address(), "VAULT_TOKEN=" + token}
	if !s.options.PlainHTTP {
		env = append(env, "VAULT_CACERT="+s.CACertFile())
	}
	return env
}

func (s *Server) authorityFile() string   { return filepath.Join(s.dir, "ca.pem") }
func (s *Server) certificateFile() string { return filepath.Join(s.dir, "server.pem") }
func (s *Server) keyFile() string         { return filepath.Join(s.dir, "server-key.pem") }
