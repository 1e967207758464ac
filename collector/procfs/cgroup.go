package procfs

// AppendCgroups appends the lines of /proc/<pid>/cgroup to dst, each
// "hierarchy:controllers:path" (cgroups(7)); cgroup v2 has the one with
// hierarchy 0. Paths are relative to the cgroup namespace of the reader: in a
// container with its own they begin with "/../". It returns ErrGone if there is
// no such process.
func (fs *FS) AppendCgroups(dst []byte, pid int) ([]byte, error) {
	text, err := fs.readProcess(pid, "/cgroup")
	return append(dst, text...), err
}
