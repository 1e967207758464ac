package nvml

import (
	"strings"
	"testing"
)

func TestModuleVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 01:27:24 UTC 2025\nGCC version:  gcc 12.3.0\n": "570.124.06",
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (dvs-builder@U22)  \n":             "580.82.07",
		"NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  565.57.01  Release Build\n":                                 "565.57.01",
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  340.108  Wed Dec 11 11:06:58 PST 2019\n":                              "340.108",
		"NVRM version: something else\nGCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04) \n":                     "",
		"": "",
	} {
		if got := moduleVersion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzModuleVersion(f *testing.F) {
	f.Add("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 01:27:24 UTC 2025\n")
	f.Add("\xff\n 1.2 \n")
	f.Fuzz(func(t *testing.T, text string) {
		// It goes into a command to be run.
		if v := moduleVersion(text); strings.Trim(v, "0123456789.") != "" || len(v) > 12 {
			t.Errorf("%q", v)
		}
	})
}
