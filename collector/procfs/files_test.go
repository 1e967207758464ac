package procfs

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	proc := newTree(t)
	proc.write("1/cmdline", "python\x00train.py\x00--name=\x1b[31m\x00\x00")
	proc.write("2/cmdline", "")
	proc.write("3/cmdline", strings.Repeat("a\x00", 40000))
	f := New(proc.root)
	for pid, want := range map[int]string{1: "python train.py --name=\x1b[31m", 2: "", 3: "a a a a a "} {
		got, err := f.AppendCommand([]byte("> "), pid, map[bool]int{true: 10, false: 4096}[pid == 3])
		if err != nil || string(got) != "> "+want && string(got) != "> "+strings.TrimRight(want, " ") {
			t.Errorf("process %d: %q, %v", pid, got, err)
		}
	}
	if got, err := f.AppendCommand([]byte("kept"), 4, 10); err != ErrGone || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := f.AppendCommand(nil, 1, 0); err != nil || len(got) != 0 {
		t.Errorf("with no room: %q, %v", got, err)
	}
	own, err := New("/proc").AppendCommand(nil, os.Getpid(), 1<<16)
	if err != nil || !bytes.Contains(own, []byte(os.Args[0])) {
		t.Errorf("this test's command line is %q, %v", own, err)
	}
}

func TestCgroups(t *testing.T) {
	proc := newTree(t)
	const lines = "12:pids:/a\n1:name=systemd:/b\n0::/kubepods.slice\n"
	proc.write("9/cgroup", lines)
	f := New(proc.root)
	if got, err := f.AppendCgroups([]byte("+"), 9); err != nil || string(got) != "+"+lines {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := f.AppendCgroups(nil, 8); err != ErrGone || got != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestInitPIDNamespace(t *testing.T) {
	proc := newTree(t)
	f := New(proc.root)
	if _, err := f.InitPIDNamespace(); err == nil {
		t.Error("no namespace, no error")
	}
	proc.write("self/ns/user", "")
	for link, want := range map[string]bool{"pid:[4026531836]": true, "pid:[4026532201]": false} {
		path := proc.root + "/self/ns/pid"
		_ = os.Remove(path)
		if err := os.Symlink(link, path); err != nil {
			t.Fatal(err)
		}
		if got, err := f.InitPIDNamespace(); err != nil || got != want {
			t.Errorf("%s: %t, %v", link, got, err)
		}
	}
}

func TestTextAllocatesNothing(t *testing.T) {
	proc := newTree(t)
	proc.write("1/cmdline", "a\x00b\x00")
	proc.write("1/cgroup", "0::/\n")
	f := New(proc.root)
	var buf []byte
	if n := testing.AllocsPerRun(50, func() {
		var err error
		if buf, err = f.AppendCommand(buf[:0], 1, 100); err != nil {
			t.Fatal(err)
		}
		if buf, err = f.AppendCgroups(buf, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}
