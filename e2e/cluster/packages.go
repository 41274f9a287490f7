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
	{"containernetworking-plugins", "/usr/lib/cni/bridge"},
	{"iproute2", "/usr/sbin/ip"},
	{"iptables", "/usr/sbin/iptables"},
	{"nftables", "/usr/sbin/nft"},
	{"runc", "/usr/sbin/runc"},
}

// installPackages installs those that are missing, and says which.
func installPackages(j *job) error {
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
	wait := []string{"-o", "DPkg::Lock::Timeout=600"}
	for _, arguments := range [][]string{
		{"dpkg", "--configure", "--pending"}, // what an earlier run that was killed left half done
		{"apt-get", "update", "-q"},
		append(append([]string{"apt-get", "install", "-qy", "--no-install-recommends"}, wait...), missing...),
	} {
		j.say(arguments[1])
		command := exec.CommandContext(j.ctx, arguments[0], arguments[1:]...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		if err := j.exec(command); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(arguments, " "), err, out.Bytes())
		}
	}
	return nil
}
