package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// packages are the Debian packages that clusters are made with, each with a file by which it is seen to be there.
var packages = []struct{ name, file string }{
	{"buildah", "/usr/bin/buildah"},
	{"conntrack", "/usr/sbin/conntrack"},
	{"containernetworking-plugins", "/usr/lib/cni/bridge"},
	{"ebtables", "/usr/sbin/ebtables"},
	{"iproute2", "/usr/sbin/ip"},
	{"ipset", "/usr/sbin/ipset"},
	{"iptables", "/usr/sbin/iptables"},
	{"nftables", "/usr/sbin/nft"},
	{"runc", "/usr/sbin/runc"},
}

// installPackages installs those that are missing, and says which.
func installPackages() error {
	var missing []string
	for _, p := range packages {
		if _, err := os.Stat(p.file); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("these Debian packages, or what your system has in their place, are missing: %s", list)
	}
	fmt.Printf("installing Debian packages: %s\n", list)
	for _, arguments := range [][]string{{"update", "-q"}, append([]string{"install", "-qy", "--no-install-recommends"}, missing...)} {
		command := exec.Command("apt-get", arguments...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		if err := command.Run(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", arguments[0], err, out.Bytes())
		}
	}
	return nil
}
