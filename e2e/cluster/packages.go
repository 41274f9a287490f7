package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// packages are the Debian packages that clusters are made with, each with a file by which other systems are seen to have it.
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
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("these Debian packages, or what your system has in their place, are missing: %s", list)
	}
	fmt.Printf("installing Debian packages: %s\n", list)
	for _, arguments := range [][]string{
		{"dpkg", "--configure", "--pending"}, // what an earlier run that was killed left half done
		{"apt-get", "update", "-q"},
		append([]string{"apt-get", "install", "-qy", "--fix-broken", "--no-install-recommends"}, missing...),
	} {
		if err := runWhenUnlocked(j, arguments); err != nil {
			return err
		}
	}
	return nil
}

// missingPackages asks dpkg, which knows of packages that an earlier run left half installed.
func missingPackages() []string {
	var missing []string
	_, err := exec.LookPath("dpkg-query")
	for _, p := range packages {
		if err == nil {
			status, _ := exec.Command("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", p.name).Output() // fails for one that dpkg doesn't know
			if strings.TrimSpace(string(status)) != "ii" {
				missing = append(missing, p.name)
			}
		} else if _, err := os.Stat(p.file); err != nil {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// runWhenUnlocked runs a command of Debian's package management, again while another holds its locks, as a new machine's
// own update does. It is never cut short: what is half installed would be the next run's to mend.
func runWhenUnlocked(j *job, arguments []string) error {
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(time.Second) {
		j.say(arguments[1])
		var out bytes.Buffer
		command := exec.Command(arguments[0], arguments[1:]...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		command.Stdout, command.Stderr = &out, &out
		err := j.exec(command)
		if err == nil {
			return nil
		}
		if !strings.Contains(out.String(), " lock") || time.Now().After(end) || j.ctx.Err() != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(arguments, " "), err, out.Bytes())
		}
		j.say("waiting for another installation to end")
	}
}
