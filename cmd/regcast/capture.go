package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// capture is what there is to do, from docs/DEPLOY.md.
const capture = `In a clone of the repository that this regcast is of (docs/DEPLOY.md says what it takes):

AWS
  make deploy PARAMETERS="CaptureTo=log"
  make deploy PARAMETERS="CaptureTo=BUCKET"

Yandex Cloud
  make deploy-yandex ARGS="-var folder_id=$(yc config get folder-id) -var capture_to=log"
  make deploy-yandex ARGS="-var folder_id=$(yc config get folder-id) -var capture_to=BUCKET"

What is in a bucket
  aws s3 sync s3://BUCKET/regcast/ captured/
  find captured -name '*.jsonl' | sort | xargs cat > events.json

Then
  regcast inspect events.json
  regcast replay events.json
`

func newCapture() *cobra.Command {
	return &cobra.Command{
		Use:   "capture",
		Short: "Print how to keep real events of a cloud, to replay them here",
		Long: `Print how to deploy the function capture, which keeps every event of a cloud's registry as the cloud sent it, in its log or in a bucket.
regcast inspect and regcast replay read what it has kept.`,
		Example: `  regcast capture`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), capture)
			return err
		},
	}
}
