package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// recorder is this test binary as the function "bootstrap": it holds a connection to the test for as long as it lives, and writes the
// ids of the events that it gets into a file, or else its log, with what it was told to be.
func recorder() {
	if test := os.Getenv("TEST"); test != "" {
		life, err := net.Dial("tcp", test)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		defer life.Close()
	}
	lambda.Start(func(payload json.RawMessage) error {
		var batch events.SQSEvent
		if err := json.Unmarshal(payload, &batch); err != nil {
			return err
		}
		told := []string{string(payload)}
		if len(batch.Records) > 0 {
			told = nil
			for _, m := range batch.Records {
				told = append(told, m.Body)
			}
		}
		var lines []byte
		for _, text := range told {
			var event struct{ ID string }
			if err := json.Unmarshal([]byte(text), &event); err != nil {
				return err
			}
			lines = fmt.Appendf(lines, "%s %s\n", os.Getenv("I_AM"), event.ID)
		}
		name := os.Getenv("RECORD")
		if name == "" {
			_, err := os.Stdout.Write(lines)
			return err
		}
		file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(lines) // at once: another process may write too
		if closing := file.Close(); err == nil {
			err = closing
		}
		return err
	})
}

// living are processes that hold connections.
type living struct {
	listener net.Listener
	began    chan struct{} // one for each
	ended    chan struct{} // one for each
}

func listenToTheLiving() (*living, error) {
	l := &living{began: make(chan struct{}, 10_000), ended: make(chan struct{}, 10_000)}
	var err error
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.began <- struct{}{}
			go func() {
				_, _ = io.Copy(io.Discard, conn) // until it ends, however
				conn.Close()
				l.ended <- struct{}{}
			}()
		}
	}()
	return l, nil
}
