// Command greenagent measures the energy of programs and prices it in carbon.
//
//	greenagent run -- python3 train.py
//
// See greenagent help.
package main

import (
	"context"
	"io"
	"os"
	"runtime"
)

func main() {
	// One goroutine works at a time, a few dozen times a second. With more
	// processors than one, each of them would wake a thread to look for work.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: arguments and streams in, exit status out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	root := p.command()
	before, err := takeOver()
	if err != nil {
		p.say("what was handed over cannot be read: %v", err)
		return statusFailed
	}
	if p.before = before; before != nil {
		// Flags and settings are as they were.
		args = append([]string{"run", "--"}, before.Command...)
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	help := &complaints{Writer: stdout} // cobra does not look whether help was written
	root.SetOut(help)
	root.SetErr(stderr)
	err = root.ExecuteContext(ctx)
	if err == nil && help.err != nil {
		err = &usageError{help.err, statusUsage}
	}
	if err != nil {
		return p.fail(root, args, err)
	}
	return p.status
}
