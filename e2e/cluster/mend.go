package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mend is a fault of a dependency of which there is no release without it, put right in a copy that is compiled instead.
type mend struct {
	module, file string
	// instead has what stands in the file and what is to stand there, in turns.
	instead []string
}

// ipv6Sets: kube-router names its IPv6 sets inet6:KUBE-…, and leaves that out in the rules that use them. The kernel then
// refuses all of its rules for IPv6, and those for IPv4 as often as not.
var ipv6Sets = mend{
	"github.com/cloudnativelabs/kube-router/v2", "pkg/controllers/netpol/policy.go", []string{
		`"--match-set", srcIPSetName,`, `"--match-set", npc.ipSetHandlers[ipFamily].Name(srcIPSetName),`,
		`"--match-set", dstIPSetName,`, `"--match-set", npc.ipSetHandlers[ipFamily].Name(dstIPSetName),`,
	},
}

// apply copies the dependency, mends the copy, and returns the flag by which the module at source is built with it.
func (m mend) apply(source string) (string, error) {
	list := golang(source, "list", "-m", "-f", "{{.Dir}}", m.module)
	original, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, list.Stderr)
	}
	folder := work("mended", filepath.Base(source))
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	module := filepath.Join(folder, "module")
	if err := os.CopyFS(module, os.DirFS(string(bytes.TrimSpace(original)))); err != nil {
		return "", err
	}
	path := filepath.Join(module, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for at := 0; at < len(m.instead); at += 2 {
		if bytes.Count(text, []byte(m.instead[at])) != 1 {
			return "", fmt.Errorf("%s of %s is not what was to be mended: see whether it still has to be", m.file, m.module)
		}
	}
	mended := strings.NewReplacer(m.instead...).Replace(string(text))
	if err := os.Remove(path); err != nil { // it is read-only
		return "", err
	}
	if err := writeFile(path, mended, 0o644); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => %s\n", m.module, module)
		}
		if err := writeFile(filepath.Join(folder, name), string(text), 0o644); err != nil {
			return "", err
		}
	}
	return "-modfile=" + filepath.Join(folder, "go.mod"), nil
}
