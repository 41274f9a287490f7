package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const kubernetesVersion = "v1.37.2"

// The programs that the clusters run. They are a module of their own, since this command is to build without them.
var (
	componentPackages = []string{"./kube", "./coredns", "./internet-dns", "./pause", "./toolbox", "tool"}
	// kubeNames are what the program kube is called by: each name is a component.
	kubeNames = []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "kube-network-policies",
	}
)

// goFlags trade what these programs can do without for a build of two thirds of the time: information for debuggers, and, but for
// what the API server spends its time on, functions that are compiled into their callers.
var goFlags = func() []string {
	const noDebugger = "-dwarf=false"
	flags := []string{
		"-trimpath",
		"-ldflags=-s -w" +
			" -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
			" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37" +
			" -X k8s.io/component-base/version.gitTreeState=clean",
		"-gcflags=all=" + noDebugger + " -l",
	}
	for _, hot := range []string{
		"std", "k8s.io/apimachinery/...", "k8s.io/apiserver/...", "go.etcd.io/...", "google.golang.org/...", "sigs.k8s.io/...",
	} {
		flags = append(flags, "-gcflags="+hot+"="+noDebugger)
	}
	return flags
}()

// componentSource is where the clusters' programs are built.
func componentSource() string { return filepath.Join(root(), "e2e/cluster/components") }

// componentStamp holds the fingerprint of what the clusters' programs were built from.
func componentStamp() string { return work("bin", ".components.stamp") }

// missingComponents is the fingerprint of what the clusters' programs are to be built from, or nothing when they were.
func missingComponents() (string, error) {
	want, err := fingerprint(componentSource(), strings.Join(goFlags, " "))
	if have, _ := os.ReadFile(componentStamp()); string(have) == want {
		return "", err
	}
	return want, err
}

// compileComponents builds the clusters' programs, unless they were built from the very same sources.
func compileComponents(j *job) error {
	want, err := missingComponents()
	if err != nil || want == "" {
		return err
	}
	// What was there isn't what it was built from any more, wherever this ends.
	if err := os.RemoveAll(componentStamp()); err != nil {
		return err
	}
	if err := goBuild(j, componentSource()); err != nil {
		return err
	}
	for _, name := range kubeNames {
		link := work("bin", name)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink("kube", link); err != nil {
			return err
		}
	}
	return writeFile(componentStamp(), want, 0o644)
}

// goBuild runs go build, and says how far it is.
func goBuild(j *job, source string) error {
	if err := errors.Join(os.RemoveAll(work("tmp")), os.MkdirAll(work("tmp"), 0o755)); err != nil {
		return err
	}
	j.say("downloading")
	var stale, complaints bytes.Buffer
	list := golang(j, source, append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, goFlags...))
	list.Stdout, list.Stderr = &stale, &complaints
	if err := j.exec(list); err != nil {
		return fmt.Errorf("go list: %w: %s", err, &complaints)
	}
	command := golang(j, source, append([]string{"build", "-v", "-o", work("bin") + "/"}, goFlags...))
	output := &goOutput{total: bytes.Count(stale.Bytes(), []byte("\n")), say: j.say}
	command.Stderr = output
	if err := j.exec(command); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, &output.others)
	}
	return nil
}

// golang is a command of Go's about the components. The compiler is a short process for each package: it seldom needs the
// memory that it would spend a third of its time on collecting. Programs are written beside the folder that they are moved to, so
// that none is there by half.
func golang(j *job, source string, arguments []string) *exec.Cmd {
	command := j.command("go", append(arguments, componentPackages...)...)
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOGC=400", "GOTMPDIR="+work("tmp"))
	return command
}

// goOutput counts the packages that go build names as it compiles them, a line each, and keeps what else it says.
type goOutput struct {
	total, done  int
	say          func(string)
	rest, others bytes.Buffer
}

func (o *goOutput) Write(text []byte) (int, error) {
	o.rest.Write(text)
	for {
		line, err := o.rest.ReadBytes('\n')
		if err != nil { // it isn't whole yet
			o.rest.Write(line)
			return len(text), nil
		}
		if bytes.ContainsAny(line, " \t") { // no package's path
			o.others.Write(line)
			continue
		}
		o.done++
		o.say(fmt.Sprintf("%d of %d packages", o.done, o.total))
	}
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
