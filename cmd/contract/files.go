package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
)

// reportFiles are the files that reports go to. They are opened before the run: who waits for
// minutes must not learn then that a report cannot be written.
type reportFiles []*reportFile

type reportFile struct {
	file   *os.File
	format func(io.Writer, *contract.Report) error
	made   bool // by us, and still empty
}

// files opens the files of the reports that were asked for. What is in them stays until the
// run has ended.
func (c *runCmd) files() (reportFiles, error) {
	var files reportFiles
	for _, f := range []struct {
		flag, name string
		format     func(io.Writer, *contract.Report) error
	}{
		{"--junit", c.JUnit, report.JUnit},
		{"--json", c.JSON, report.JSON},
		{"--html", c.HTML, report.HTML{Lang: c.Lang, File: c.Target}.Write},
	} {
		if f.name == "" {
			continue
		}
		_, missing := os.Stat(f.name)
		file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // a report is for whoever may read the folder
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", f.flag, err), files.close())
		}
		if files.have(file) {
			return nil, errors.Join(fmt.Errorf("%s: %s is the file of another report already", f.flag, f.name), file.Close(), files.close())
		}
		files = append(files, &reportFile{file: file, format: f.format, made: errors.Is(missing, os.ErrNotExist)})
	}
	return files, nil
}

// have tells whether a report goes to the file already; a device may take several.
func (files reportFiles) have(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular() && slices.ContainsFunc(files, func(f *reportFile) bool {
		other, err := f.file.Stat()
		return err == nil && os.SameFile(info, other)
	})
}

func (files reportFiles) write(r *contract.Report) error {
	var errs []error
	for _, f := range files {
		f.made = false
		if info, err := f.file.Stat(); err == nil && info.Mode().IsRegular() { // a pipe cannot be cut
			errs = append(errs, f.file.Truncate(0))
		}
		errs = append(errs, f.format(f.file, r))
	}
	return errors.Join(errs...)
}

// close closes the files and takes away those that a run without a report has left empty.
func (files reportFiles) close() error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.file.Close())
		if f.made {
			errs = append(errs, os.Remove(f.file.Name()))
		}
	}
	return errors.Join(errs...)
}
