package runfile_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/exporter/runfile"
)

// TestStreamDoesNotWait for a reader that does not read, and once it was given up,
// not a second time.
func TestStreamDoesNotWait(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, w := blockingPipe(t)
	for name, ends := range map[string][2]*os.File{
		"pipe":   {r, w},
		"socket": {os.NewFile(uintptr(pair[0]), "read"), os.NewFile(uintptr(pair[1]), "write")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer ends[0].Close()
			defer ends[1].Close()
			s, err := runfile.NewStream(ends[1])
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			start := time.Now()
			if n, err := s.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n <= 0 || n >= 4<<20 {
				t.Errorf("%d bytes: %v", n, err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			start = time.Now()
			if _, err := s.Write([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) > time.Second {
				t.Errorf("the second time, after %v: %v", time.Since(start), err)
			}
		})
	}
}

// TestStreamWaitsForASlowReader that reads at all; what is written comes whole.
func TestStreamWaitsForASlowReader(t *testing.T) {
	t.Parallel()
	r, w := blockingPipe(t)
	defer r.Close()
	want := []byte(strings.Repeat("0123456789abcde\n", 1<<14)) // four times what a pipe holds
	var got bytes.Buffer
	read := make(chan error)
	go func() {
		_, err := io.Copy(&got, io.LimitReader(r, int64(len(want))))
		read <- err
	}()
	s, err := runfile.NewStream(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil { // the stream has its own
		t.Fatal(err)
	}
	if n, err := s.Write(want); n != len(want) || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	if err := errors.Join(<-read, s.Close()); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes arrived (%v), want %d", got.Len(), err, len(want))
	}
}

// blockingPipe returns a pipe as a shell makes it; the ends of os.Pipe do not block.
func blockingPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(ends[0]), "read"), os.NewFile(uintptr(ends[1]), "write")
}
