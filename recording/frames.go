package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// frame is where a zstd frame begins.
type frame struct {
	offset int64 // in the file
	plain  int64 // in what it says when it is not compressed; -1: unknown
}

// readFrames finds the frames of a zstd file: in the table at its end, else by going from frame to frame and from block to block,
// which reads some bytes of each.
func readFrames(r io.ReaderAt, size int64) ([]frame, error) {
	if frames, err := readTable(r, size); err != nil || frames != nil {
		return frames, err
	}
	var frames []frame
	for offset := int64(0); offset < size; {
		end, data, err := skipFrame(r, offset)
		if data {
			frames = append(frames, frame{offset: offset, plain: -1})
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, zstd.ErrMagicMismatch) {
			break // torn off, or something else behind it: who reads this frame will be told
		}
		if err != nil {
			return nil, fmt.Errorf("recording: zstd: frame at byte %d: %w", offset, err)
		}
		offset = end
	}
	if len(frames) > 0 {
		frames[0].plain = 0
	}
	return frames, nil
}

// readTable reads the table of the frames; nil when there is none that fits the file.
func readTable(r io.ReaderAt, size int64) ([]frame, error) {
	const head = 8
	var footer [footerSize]byte
	if size < head+footerSize {
		return nil, nil
	}
	if _, err := r.ReadAt(footer[:], size-footerSize); err != nil {
		return nil, fmt.Errorf("recording: zstd: table: %w", err)
	}
	if binary.LittleEndian.Uint32(footer[5:]) != footerMagic {
		return nil, nil
	}
	entry := int64(8)
	if footer[4]&0x80 != 0 { // with checksums
		entry = 12
	}
	n := int64(binary.LittleEndian.Uint32(footer[:]))
	start := size - footerSize - n*entry - head
	if start < 0 {
		return nil, nil
	}
	table := make([]byte, head+n*entry)
	if _, err := r.ReadAt(table, start); err != nil {
		return nil, fmt.Errorf("recording: zstd: table: %w", err)
	}
	if binary.LittleEndian.Uint32(table) != tableMagic || int64(binary.LittleEndian.Uint32(table[4:])) != n*entry+footerSize {
		return nil, nil
	}
	var frames []frame
	var next frame
	for e := table[head:]; len(e) > 0; e = e[entry:] {
		if content := int64(binary.LittleEndian.Uint32(e[4:])); content > 0 {
			frames = append(frames, next)
			next.plain += content
		}
		next.offset += int64(binary.LittleEndian.Uint32(e))
	}
	if next.offset != start { // the table of another file, to which this was appended
		return nil, nil
	}
	return frames, nil
}

// skipFrame returns where the frame at offset ends, and whether it holds data.
func skipFrame(r io.ReaderAt, offset int64) (end int64, data bool, err error) {
	var buf [zstd.HeaderMaxSize]byte
	n, err := r.ReadAt(buf[:], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	var h zstd.Header
	if err := h.Decode(buf[:n]); err != nil {
		return 0, false, err
	}
	if h.Skippable {
		return offset + int64(h.HeaderSize) + int64(h.SkippableSize), false, nil
	}
	offset += int64(h.HeaderSize)
	for {
		var b [3]byte
		if _, err := r.ReadAt(b[:], offset); err != nil {
			return 0, true, err
		}
		word := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		length := int64(word >> 3)
		switch word >> 1 & 3 {
		case 1: // one byte, repeated
			length = 1
		case 3:
			return 0, true, zstd.ErrReservedBlockType
		}
		offset += 3 + length
		if word&1 != 0 {
			break
		}
	}
	if h.HasCheckSum {
		offset += 4
	}
	return offset, true, nil
}
