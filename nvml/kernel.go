//go:build linux && cgo

package nvml

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// kernelDriver returns the version of the kernel module, "" where it is not loaded
// or cannot be read.
func (l *Library) kernelDriver() string {
	if l.proc == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(l.proc, "driver", "nvidia", "version"))
	if err != nil {
		return ""
	}
	return moduleVersion(string(text))
}

var moduleNumber = regexp.MustCompile(`\s(\d{2,4}\.\d{1,3}(?:\.\d{1,3})?)\s`)

// moduleVersion finds the version in /proc/driver/nvidia/version, whose first line
// is "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed …", or says
// "Open Kernel Module for x86_64".
func moduleVersion(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if m := moduleNumber.FindStringSubmatch(line + " "); m != nil {
		return m[1]
	}
	return ""
}
