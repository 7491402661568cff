package process

import (
	"os"
	"os/exec"
)

// pipes are the pipes of one process.
type pipes struct {
	stdin, stdout, stderr, request, answer *os.File // our ends
	theirs                                 []*os.File
}

func openPipes(cmd *exec.Cmd, spec *Spec) (_ *pipes, err error) {
	p := &pipes{}
	defer func() {
		if err != nil {
			p.closeTheirs()
			p.closeOurs()
			err = startError(err, "pipe")
		}
	}()
	// fromChild gives the end the child writes to.
	fromChild := func(ours **os.File) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*ours = r
		p.theirs = append(p.theirs, w)
		return w, nil
	}
	toChild := func(ours **os.File) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*ours = w
		p.theirs = append(p.theirs, r)
		return r, nil
	}
	var out, errs *os.File
	if out, err = fromChild(&p.stdout); err != nil {
		return nil, err
	}
	if errs, err = fromChild(&p.stderr); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, errs
	if spec.Stdin != nil {
		in, err := toChild(&p.stdin)
		if err != nil {
			return nil, err
		}
		cmd.Stdin = in
	}
	if spec.Exchange {
		request, err := toChild(&p.request)
		if err != nil {
			return nil, err
		}
		answer, err := fromChild(&p.answer)
		if err != nil {
			return nil, err
		}
		cmd.ExtraFiles = []*os.File{request, answer}
	}
	return p, nil
}

func (p *pipes) closeTheirs() {
	for _, f := range p.theirs {
		_ = f.Close()
	}
	p.theirs = nil
}

func (p *pipes) ours() []*os.File {
	return []*os.File{p.stdin, p.stdout, p.stderr, p.request, p.answer}
}

func (p *pipes) closeOurs() {
	for _, f := range p.ours() {
		if f != nil {
			_ = f.Close()
		}
	}
}
