package build

import (
	"bufio"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const host = runtime.GOOS + "/" + runtime.GOARCH

// unfit says why this host cannot run the file ("is linux/arm64, this host is …"); empty: it can.
func unfit(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "is no regular file", nil
	}
	if why := foreign(f, path); why != "" {
		return why, nil
	}
	if runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
		return "is not executable: chmod +x it", nil
	}
	return "", nil
}

// foreign reads the head of a file that is to be run.
func foreign(r io.ReaderAt, path string) string {
	head := make([]byte, 4)
	if n, err := r.ReadAt(head, 0); err != nil && n < 2 {
		return "is no program: it is empty"
	}
	switch {
	case string(head) == elf.ELFMAG:
		return foreignELF(r)
	case string(head[:2]) == "#!":
		return foreignScript(r)
	case string(head[:2]) == "MZ":
		f, err := pe.NewFile(r)
		if err != nil {
			return "is a broken Windows program: " + err.Error()
		}
		return otherHost("windows/" + named(peArch, f.Machine, fmt.Sprintf("%#x", f.Machine)))
	}
	if fat, err := macho.NewFatFile(r); err == nil {
		var has []string
		for _, a := range fat.Arches {
			has = append(has, "darwin/"+named(machoArch, a.Cpu, a.Cpu.String()))
		}
		return otherHost(has...)
	}
	if f, err := macho.NewFile(r); err == nil {
		return otherHost("darwin/" + named(machoArch, f.Cpu, f.Cpu.String()))
	}
	if ext := strings.ToLower(filepath.Ext(path)); runtime.GOOS == "windows" && (ext == ".bat" || ext == ".cmd") {
		return ""
	}
	return fmt.Sprintf("is no program: it begins with %q; want a %s program, or a script that begins with #!", head, host)
}

func foreignELF(r io.ReaderAt) string {
	f, err := elf.NewFile(r)
	if err != nil {
		return "is a broken ELF program: " + err.Error()
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return "is no program but an ELF file of type " + f.Type.String()
	}
	system := "linux"
	if f.OSABI != elf.ELFOSABI_NONE && f.OSABI != elf.ELFOSABI_LINUX {
		system = strings.ToLower(strings.TrimPrefix(f.OSABI.String(), "ELFOSABI_"))
	}
	arch := named(elfArch, f.Machine, f.Machine.String())
	if why := otherHost(system + "/" + arch); why != "" && (host != "linux/amd64" || arch != "386") {
		return why
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		loader, err := io.ReadAll(p.Open())
		if err != nil {
			return "is a broken ELF program: " + err.Error()
		}
		name := strings.TrimRight(string(loader), "\x00")
		if _, err := os.Stat(name); err != nil {
			return fmt.Sprintf("needs the loader %s, which this host does not have: build it with CGO_ENABLED=0", name)
		}
	}
	return ""
}

func foreignScript(r io.ReaderAt) string {
	if runtime.GOOS == "windows" {
		return "is a script, which windows does not run by its first line"
	}
	line, _, err := bufio.NewReader(io.NewSectionReader(r, 2, 512)).ReadLine()
	if err != nil {
		return "is a script without an interpreter in its first line"
	}
	fields := strings.Fields(string(line))
	if len(fields) == 0 {
		return "is a script without an interpreter in its first line"
	}
	if _, err := os.Stat(fields[0]); err != nil {
		return fmt.Sprintf("is a script for %s, which this host does not have", fields[0])
	}
	return ""
}

func otherHost(has ...string) string {
	if slices.Contains(has, host) {
		return ""
	}
	return fmt.Sprintf("is %s, this host is %s", strings.Join(has, " and "), host)
}

// pair names one machine of a format in Go's words.
type pair[K comparable] struct {
	machine K
	arch    string
}

func named[K comparable](table func() []pair[K], machine K, other string) string {
	for _, p := range table() {
		if p.machine == machine {
			return p.arch
		}
	}
	return other
}

func elfArch() []pair[elf.Machine] {
	return []pair[elf.Machine]{
		{elf.EM_X86_64, "amd64"}, {elf.EM_AARCH64, "arm64"}, {elf.EM_386, "386"}, {elf.EM_ARM, "arm"}, {elf.EM_RISCV, "riscv64"},
		{elf.EM_S390, "s390x"}, {elf.EM_PPC64, "ppc64le"}, {elf.EM_LOONGARCH, "loong64"},
	}
}

func machoArch() []pair[macho.Cpu] {
	return []pair[macho.Cpu]{{macho.CpuAmd64, "amd64"}, {macho.CpuArm64, "arm64"}}
}

func peArch() []pair[uint16] {
	return []pair[uint16]{
		{pe.IMAGE_FILE_MACHINE_AMD64, "amd64"}, {pe.IMAGE_FILE_MACHINE_ARM64, "arm64"}, {pe.IMAGE_FILE_MACHINE_I386, "386"},
	}
}
