package recording

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// frameSize is how much a zstd frame holds before the next begins: what a reader must expand at most to get at a line.
const frameSize = 1 << 20

// The seekable format of zstd (contrib/seekable_format): a table of the frames in a skippable frame at the end.
const (
	tableMagic  = 0x184D2A5E
	footerMagic = 0x8F92EAB1
	footerSize  = 9
	frameMagic  = 0xFD2FB528
)

func compressed(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	m := binary.LittleEndian.Uint32(magic)
	return m == frameMagic || m&0xFFFFFFF0 == 0x184D2A50
}

// NewZstdWriter is NewWriter with zstd: a frame every MB, so that a reader can begin anywhere, and a table of them at the end.
// Without the end, whatever was flushed can be read.
func NewZstdWriter(w io.Writer, h Header) (*Writer, error) {
	z := &packer{out: counter{w: w}}
	var err error
	// One at a time: no goroutines, so nobody has to wait for them.
	if z.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
		return nil, fmt.Errorf("recording: zstd: %w", err)
	}
	return newWriter(z, h)
}

// packer writes lines into frames.
type packer struct {
	out   counter
	enc   *zstd.Encoder
	open  bool
	size  uint32 // of the open frame's contents
	began int64
	table []byte
}

// Write begins a frame only where a line begins.
func (z *packer) Write(part []byte) (int, error) {
	if !z.open {
		z.enc.Reset(&z.out)
		z.open, z.size, z.began = true, 0, z.out.n
	}
	n, err := z.enc.Write(part)
	z.size += uint32(n)
	if err == nil && z.size >= frameSize && part[len(part)-1] == '\n' {
		err = z.seal()
	}
	return n, err
}

// seal ends the frame.
func (z *packer) seal() error {
	if !z.open {
		return nil
	}
	z.open = false
	if err := z.enc.Close(); err != nil {
		return err
	}
	z.table = binary.LittleEndian.AppendUint32(z.table, uint32(z.out.n-z.began))
	z.table = binary.LittleEndian.AppendUint32(z.table, z.size)
	return nil
}

func (z *packer) Flush() error {
	if !z.open {
		return nil
	}
	return z.enc.Flush()
}

func (z *packer) Close() error {
	if err := z.seal(); err != nil {
		return err
	}
	frame := binary.LittleEndian.AppendUint32(nil, tableMagic)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(z.table)+footerSize))
	frame = append(frame, z.table...)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(z.table)/8))
	frame = append(frame, 0) // no checksums
	frame = binary.LittleEndian.AppendUint32(frame, footerMagic)
	_, err := z.out.Write(frame)
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
