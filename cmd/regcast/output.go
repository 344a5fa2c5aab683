package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What can be done where a recording is there already.
const (
	orForce  = "give another name with -o, or --force to write over it"
	orRemove = "give another name, or remove it"
)

// Modes of files: a recording may hold what is nobody's business, a report is made to be passed on.
const (
	modeRecording = 0o600
	modeReport    = 0o644
)

// free says whether a recording may be written there. Recordings cannot be made again, so one that is there stays unless force is given;
// reports can, and take the place of the last one.
//
// ways is what can be done then.
func free(name, ways string, force bool) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return folderOf(name)
	case err != nil:
		return usageError("%w", err)
	case info.IsDir():
		return usageError("%s is a folder: give the name of a file in it", name)
	case info.Mode().IsRegular() && !force:
		return usageError("%s is there already: %s", name, ways)
	}
	return nil
}

// folderOf says whether there is a folder for a file.
func folderOf(name string) error {
	folder := filepath.Dir(name)
	switch info, err := os.Stat(folder); {
	case errors.Is(err, os.ErrNotExist):
		return usageError("%s cannot be written: there is no folder %s; make it first", name, folder)
	case err != nil:
		return usageError("%s cannot be written: %w", name, err)
	case !info.IsDir():
		return usageError("%s cannot be written: %s is no folder", name, folder)
	}
	return nil
}

// createRecording makes the file of a recording that is written as things happen. force empties one that is there.
func createRecording(name, ways string, force bool) (*os.File, error) {
	if err := free(name, ways, force); err != nil {
		return nil, err
	}
	mode := os.O_EXCL
	if force {
		mode = os.O_TRUNC
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|mode, modeRecording)
	if err != nil {
		return nil, usageError("recording: %w", err)
	}
	return f, nil
}

// writeWhole writes a file that is there whole or not at all, beside its place first. What is no plain file, as a pipe, is written as it is.
func writeWhole(name string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	name = pointedAt(name)
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return usageError("%s is a folder: give the name of a file in it", name)
	case err == nil && !info.Mode().IsRegular():
		return writeInto(name, write)
	case err != nil:
		if err := folderOf(name); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part")
	if err != nil {
		return usageError("%s cannot be written: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it is of no use
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.Chmod(f.Name(), mode); err != nil {
		return err
	}
	return replace(f.Name(), name)
}

// replace puts a file in the place of another, or where none was. Who may read the other may read this one.
func replace(made, place string) error {
	if info, err := os.Stat(place); err == nil {
		if err := os.Chmod(made, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return os.Rename(made, place)
}

// pointedAt is what a link points at, for that is meant, not the link.
func pointedAt(name string) string {
	if place, err := filepath.EvalSymlinks(name); err == nil {
		return place
	}
	return name
}

func writeInto(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return usageError("%w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
