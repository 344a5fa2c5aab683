package main

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// renew gives an event the id and the time that it is sent with, and leaves every other byte of it alone.
func (p *packer) renew(e packed) (json.RawMessage, string) {
	var told struct {
		ID       string `json:"id"`
		Time     string `json:"time"`
		Metadata struct {
			ID        string `json:"event_id"`
			CreatedAt string `json:"created_at"`
		} `json:"event_metadata"`
	}
	if p.salt == nil && !p.now || json.Unmarshal(e.body, &told) != nil {
		return e.body, e.id
	}
	if id := cmp.Or(told.ID, told.Metadata.ID); p.salt != nil && id != "" {
		e.id = another(id, p.salt)
		e.body = exchange(e.body, id, e.id)
	}
	if was := cmp.Or(told.Time, told.Metadata.CreatedAt); p.now && was != "" {
		layout := time.RFC3339
		if strings.Contains(was, ".") {
			layout = time.RFC3339Nano
		}
		e.body = exchange(e.body, was, time.Now().UTC().Format(layout))
	}
	return e.body, e.id
}

func exchange(body []byte, from, to string) []byte {
	return bytes.Replace(body, []byte(strconv.Quote(from)), []byte(strconv.Quote(to)), 1)
}

// another makes another id of the same form, the same of the same id and salt.
func another(id string, salt []byte) string {
	sum := sha512.Sum512(append(slices.Clone(salt), id...))
	if len(id) < 16 { // too short to be told apart by other letters
		return id + "-" + hex.EncodeToString(sum[:6])
	}
	letters := "abcdefghijklmnopqrstuvwxyz"
	uuid := strings.Trim(id, "0123456789abcdef-") == ""
	if uuid {
		letters = "abcdef"
	}
	out := []byte(id)
	for i, c := range out {
		b := sum[i%len(sum)]
		switch {
		case uuid && (i == 14 || i == 19) || !uuid && i < 3: // the version and variant of a UUID, and the prefix that says what has the id
		case c >= '0' && c <= '9':
			out[i] = '0' + b%10
		case c >= 'a' && c <= 'z':
			out[i] = letters[int(b)%len(letters)]
		}
	}
	return string(out)
}

// sqsRecord is a message as Lambda gets it, its keys in Lambda's order.
type sqsRecord struct {
	MessageID     string `json:"messageId"`
	ReceiptHandle string `json:"receiptHandle"`
	Body          string `json:"body"`
	Attributes    struct {
		Receives string `json:"ApproximateReceiveCount"`
		Sent     string `json:"SentTimestamp"`
		Sender   string `json:"SenderId"`
		First    string `json:"ApproximateFirstReceiveTimestamp"`
	} `json:"attributes"`
	MessageAttributes struct{} `json:"messageAttributes"`
	MD5OfBody         string   `json:"md5OfBody"`
	EventSource       string   `json:"eventSource"`
	EventSourceARN    string   `json:"eventSourceARN"`
	AWSRegion         string   `json:"awsRegion"`
}

func (p *packer) packSQS(batch []packed, bodies []json.RawMessage) []byte {
	var list struct {
		Records []sqsRecord `json:"Records"`
	}
	for i, body := range bodies {
		at := batch[i].at
		if p.now {
			at = time.Now()
		}
		sum := md5.Sum(body)
		r := sqsRecord{
			MessageID: batch[i].id, ReceiptHandle: "regcast-replay", Body: string(body), MD5OfBody: hex.EncodeToString(sum[:]),
			EventSource: "aws:sqs", AWSRegion: p.region,
			EventSourceARN: fmt.Sprintf("arn:aws:sqs:%s:%s:regcast-replay", p.region, p.account),
		}
		ms := strconv.FormatInt(at.UnixMilli(), 10)
		r.Attributes.Receives, r.Attributes.Sent, r.Attributes.Sender, r.Attributes.First = "1", ms, p.account, ms
		list.Records = append(list.Records, r)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(list) // strings
	return bytes.TrimSpace(out.Bytes())
}
