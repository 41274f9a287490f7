package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// authority signs the certificates of one cluster.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// identity is a user or a server of the cluster: Kubernetes takes a certificate's common name for the user and its
// organisations for the groups.
type identity struct {
	file, name string
	groups     []string
	dns        []string
	ips        []string
}

var identities = []identity{
	{file: "kube-apiserver", name: "kube-apiserver", ips: []string{"127.0.0.1", serviceIPv4, nodeIPv4, nodeIPv6},
		dns: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
	{file: "admin", name: "kubernetes-admin", groups: []string{"system:masters"}},
	{file: "kubelet-client", name: "kube-apiserver-kubelet-client"},
	{file: "kube-controller-manager", name: "system:kube-controller-manager"},
	{file: "kube-scheduler", name: "system:kube-scheduler"},
	{file: "kubelet", name: "system:node:" + nodeName, groups: []string{"system:nodes"}, dns: []string{nodeName}, ips: []string{nodeIPv4, nodeIPv6}},
	{file: "kube-proxy", name: "system:kube-proxy"},
	{file: "kube-network-policies", name: "kube-network-policies"},
}

// pki writes the keys, certificates and kubeconfigs of the cluster.
func (c *Cluster) pki() error {
	ca, err := c.newAuthority()
	if err != nil {
		return err
	}
	for _, id := range identities {
		if err := c.issue(ca, id); err != nil {
			return err
		}
	}
	// ServiceAccount tokens are signed by a key of their own (ES256).
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := c.writePEM("service-account.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	if err := c.writeKey("service-account.key", key); err != nil {
		return err
	}
	return c.encryptionKey()
}

func (c *Cluster) newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "kubernetes"})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := c.writePEM("ca.crt", "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return &authority{parsed, key}, c.writeKey("ca.key", key)
}

// certificate is what all certificates of a test cluster have in common.
func certificate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // rand.Reader never fails (Go 1.24)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
}

func (c *Cluster) issue(ca *authority, id identity) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificate(pkix.Name{CommonName: id.name, Organization: id.groups})
	template.DNSNames = id.dns
	for _, address := range id.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, &key.PublicKey, ca.key)
	if err != nil {
		return err
	}
	if err := c.writePEM(id.file+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	if err := c.writeKey(id.file+".key", key); err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeFile(c.path(id.file+".kubeconfig"), kubeconfig(ca.certificate.Raw, der, keyDER), 0o600)
}

// kubeconfig holds its keys itself, since the cluster's processes and the machine's see different paths. It is JSON, which
// is YAML too: whoever makes another from it needs no library for that.
func kubeconfig(ca, crt, key []byte) string {
	inline := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return fmt.Sprintf(`{
"apiVersion": "v1",
"kind": "Config",
"clusters": [{"name": "e2e", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": %q}}],
"users": [{"name": "e2e", "user": {"client-certificate-data": %q, "client-key-data": %q}}],
"contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
"current-context": "e2e"
}
`, inline("CERTIFICATE", ca), inline("CERTIFICATE", crt), inline("PRIVATE KEY", key))
}

// encryptionKey writes the configuration with which the API server encrypts Secrets in etcd.
func (c *Cluster) encryptionKey() error {
	key := make([]byte, 32)
	rand.Read(key) // never fails (Go 1.24)
	return writeFile(c.path("pki", "encryption.yaml"), fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers: [{secretbox: {keys: [{name: key1, secret: %s}]}}]
`, base64.StdEncoding.EncodeToString(key)), 0o600)
}

func (c *Cluster) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return c.writePEM(name, "PRIVATE KEY", der)
}

func (c *Cluster) writePEM(name, kind string, der []byte) error {
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return err
	}
	return writeFile(c.path("pki", name), text.String(), 0o600)
}
