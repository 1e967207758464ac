package nvml

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// KernelDriver returns the version of the kernel module, by the /proc at a root, ""
// where it cannot be told, and whether the module is loaded. It asks no driver.
func KernelDriver(proc string) (version string, loaded bool) {
	text, err := os.ReadFile(filepath.Join(proc, "driver", "nvidia", "version"))
	if err != nil {
		return "", false
	}
	return moduleVersion(string(text)), true
}

var moduleNumber = regexp.MustCompile(`\s(\d{2,4}\.\d{1,3}(?:\.\d{1,3})?)\s`)

// moduleVersion finds the version in /proc/driver/nvidia/version, whose first line
// is "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed …", or
// "… Open Kernel Module for x86_64  570.124.06  Release Build …".
func moduleVersion(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if m := moduleNumber.FindStringSubmatch(line + " "); m != nil {
		return m[1]
	}
	return ""
}
