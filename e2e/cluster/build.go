package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const kubernetesVersion = "v1.37.2"

// module is a Go module whose programs the clusters run. They are in modules of their own because what they depend on
// can't be reconciled, and because this command is to build without them.
type module struct {
	dir      string
	packages []string
	// names are further names of the first program, which is what it is called by.
	names []string
	mends []mend
}

var modules = []module{
	{"components", []string{"./kube", "./coredns", "./internet-dns", "./pause", "./toolbox", "tool"},
		[]string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}, nil},
	{"kube-router", []string{"tool"}, nil, []mend{twoFamilies}},
}

var goFlags = []string{"-trimpath", "-ldflags", "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37" +
	" -X k8s.io/component-base/version.gitTreeState=clean"}

// build makes what is missing: Debian packages, the components, the images that every cluster needs.
func build() error {
	if err := installPackages(); err != nil {
		return err
	}
	for _, m := range modules {
		if err := m.build(); err != nil {
			return fmt.Errorf("build %s: %w", m.dir, err)
		}
	}
	for _, name := range []string{"pause", "coredns", "toolbox"} {
		if _, err := buildImage(filepath.Join(root(), "e2e/images", name)); err != nil {
			return err
		}
	}
	return nil
}

// build builds the module's programs, unless they were built from the very same sources.
func (m module) build() error {
	source := filepath.Join(root(), "e2e/cluster", m.dir)
	want, err := fingerprint(source, fmt.Sprint(strings.Join(goFlags, " "), m.mends))
	if err != nil {
		return err
	}
	stamp := work("bin", "."+m.dir+".stamp")
	if have, _ := os.ReadFile(stamp); string(have) == want {
		return nil
	}
	if err := m.compile(source); err != nil {
		return err
	}
	for _, name := range m.names {
		link := work("bin", name)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Base(m.packages[0]), link); err != nil {
			return err
		}
	}
	return writeFile(stamp, want, 0o644)
}

// compile runs go build, and says now and then how far it is.
func (m module) compile(source string) error {
	fmt.Printf("building %s (%s): minutes when cold, a few seconds when Go has it in its cache\n", m.dir, strings.Join(m.packages, ", "))
	began := time.Now()
	flags := goFlags
	for _, mend := range m.mends {
		flag, err := mend.apply(source)
		if err != nil {
			return err
		}
		flags = append([]string{flag}, flags...)
	}
	list := golang(source, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
	list.Args = append(append(list.Args, flags...), m.packages...)
	stale, err := list.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, list.Stderr)
	}
	total := bytes.Count(stale, []byte("\n"))

	arguments := append([]string{"build", "-v", "-o", work("bin") + "/"}, flags...)
	command := golang(source, append(arguments, m.packages...)...)
	command.Stderr = nil
	output, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	var others []string
	said, done := time.Now(), 0
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.ContainsAny(lines.Text(), " \t") { // not a package's path
			others = append(others, lines.Text())
			continue
		}
		done++
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			fmt.Printf("  %5.0f s  %d of %d packages\n", time.Since(began).Seconds(), done, total)
		}
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(others, "\n"))
	}
	fmt.Printf("  %5.0f s  built\n", time.Since(began).Seconds())
	return nil
}

func golang(dir string, arguments ...string) *exec.Cmd {
	command := exec.Command("go", arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false")
	command.Stderr = new(bytes.Buffer)
	return command
}

// fingerprint is a hash of a folder's files and of what else decides the outcome of a build.
func fingerprint(dir, flags string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, flags)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return fmt.Sprintf("%x\n", sum.Sum(nil)), err
}
