package emulator

// EncodeFrame and EncodeLine are how lines get into the journal.
var (
	EncodeFrame = encodeFrame
	EncodeLine  = encodeLine
)

// WhenRecordEnds calls f when the recording of Config.Record is told to end, and before what is missing is written.
func (e *Emulator) WhenRecordEnds(f func()) {
	stop := e.stopRecord
	e.stopRecord = func() {
		stop()
		f()
	}
}
