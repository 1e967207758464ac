package procfs

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// PIDs appends the ids of the processes of /proc to dst, in the order of the
// directory: ascending, when the kernel makes it.
//
// Only processes of the PID namespace that /proc was mounted in, and of those
// below it, are there. With hidepid=2 (or ptraceable) the processes of other
// users are missing without a trace, unless the caller is privileged; with
// hidepid=1 they are listed and cannot be read. What they use stays without an
// owner; Hidden tells.
func (fs *FS) PIDs(dst []int) ([]int, error) {
	fs.at("")
	dst, err := fs.numbers(dst)
	if err != nil {
		return dst, fs.fail(err)
	}
	return dst, nil
}

// Hidden reports whether this /proc keeps processes from the caller, judging
// by the one that always exists: the first.
func (fs *FS) Hidden() bool {
	var first Process
	return fs.Read(1, &first) != nil
}

// numbers appends the entries of the directory at hand that are numbers.
func (fs *FS) numbers(dst []int) ([]int, error) {
	fd, err := fs.open(unix.O_RDONLY | unix.O_DIRECTORY)
	if err != nil {
		return dst, err
	}
	for {
		var n int
		n, err = unix.Getdents(fd, fs.dirent)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		dst = parseDirents(dst, fs.dirent[:n])
	}
	_ = unix.Close(fd) // read-only: nothing can be lost
	return dst, err
}

// parseDirents reads struct linux_dirent64 (getdents(2)): u64 inode, s64
// offset, u16 length, u8 type, name.
func parseDirents(dst []int, entries []byte) []int {
	const header = 19
	for len(entries) > header {
		length := int(binary.NativeEndian.Uint16(entries[16:]))
		if length <= header || length > len(entries) {
			return dst
		}
		name := entries[header:length]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if pid, ok := parsePID(name); ok && pid > 0 {
			dst = append(dst, pid)
		}
		entries = entries[length:]
	}
	return dst
}
