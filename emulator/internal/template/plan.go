// Package template reads a SAM or CloudFormation template and says what is to be made of it, with every name and intrinsic resolved.
// It is pure: what it needs to know of the world comes in Options.
package template

import (
	"encoding/json"
	"time"
)

// Plan is what a template asks for. All references are resolved: functions, queues, tables and APIs are named by their logical ids
// where a field says so, else by ARN, URL or name as the cloud would give them.
type Plan struct {
	Stack, Region, Account string

	Functions    []Function
	APIs         []API
	Rules        []Rule
	Queues       []Queue
	Mappings     []Mapping
	Tables       []Table
	Repositories []Repository
	Outputs      []Output
	// Notices say, each with file and line, what is accepted and not emulated, and what that means for the user.
	Notices []string
}

// Function finds a function by logical id, name or ARN, with or without a qualifier.
func (p *Plan) Function(name string) (Function, bool) {
	plain := unqualified(name)
	for _, f := range p.Functions {
		if name == f.LogicalID || name == f.Name || plain == f.ARN {
			return f, true
		}
	}
	return Function{}, false
}

// Queue finds a queue by logical id, name, ARN or URL.
func (p *Plan) Queue(name string) (Queue, bool) {
	for _, q := range p.Queues {
		if name == q.LogicalID || name == q.Name || name == q.ARN || name == q.URL {
			return q, true
		}
	}
	return Queue{}, false
}

// Place is where something stands in the template.
type Place struct {
	File string
	Line int
}

// Function is AWS::Serverless::Function or AWS::Lambda::Function.
type Function struct {
	LogicalID, Name, ARN string
	At                   Place
	CodeURI              string // as written, relative to the template's folder; empty: see CodeElsewhere
	CodeElsewhere        string // "in S3", "in the template", "in a container image"; empty: in the folder CodeURI
	BuildMethod          string // Metadata.BuildMethod
	Handler, Runtime     string
	Architecture         string // "x86_64" or "arm64"
	Memory               int    // MB
	Timeout              time.Duration
	Env                  map[string]string
	Qualifiers           []string // its aliases and versions in the template; all stand for the one code that there is
	Reserved             *int     // ReservedConcurrentExecutions
	// Asynchronous invokes.
	Retries      int           // 0 to 2
	MaxAge       time.Duration // 6 h unless said
	OnFailure    string        // ARN of EventInvokeConfig's destination
	OnSuccess    string
	DeadLetter   string // ARN
	JSONLogs     bool   // LoggingConfig.LogFormat JSON
	Statements   []Statement
	AllResources bool // its policies are not known (a role by ARN, a managed policy): nothing can be said of what it may do
}

// Statement is one statement of a function's policies, policy templates of SAM written out.
type Statement struct {
	Effect    string // "Allow" or "Deny"
	Actions   []string
	Resources []string
	At        Place
}

// API is a WebSocket API.
type API struct {
	LogicalID, ID, Name string
	At                  Place
	RouteSelection      string // RouteSelectionExpression
	Stages              []Stage
	Routes              []Route
}

// Stage is a stage of an API.
type Stage struct {
	Name      string
	Variables map[string]string
}

// Route is a route of an API with its integration.
type Route struct {
	Key         string // "$connect", "$default", "sendMessage"
	At          Place
	Function    string        // logical id; empty: an integration that is not emulated, which Integration names
	Integration string        // "AWS_PROXY", "MOCK", "HTTP_PROXY", …
	Mock        *Mock         // what an integration of type MOCK answers; nil: that is not constant, so it is not emulated
	Timeout     time.Duration // 29 s unless said
	Reply       bool          // there is a RouteResponse $default: the function's body goes back to the sender
	IAM         bool          // AuthorizationType AWS_IAM
	Authorizer  *Authorizer
	APIKey      bool
}

// Mock is the constant answer of a MOCK integration.
type Mock struct {
	Status int
	Body   *string // of the integration response, for a route with Reply; nil: nothing goes back
}

// Authorizer is a REQUEST authorizer.
type Authorizer struct {
	Name            string
	Function        string // logical id
	IdentitySources []string
}

// Rule is an EventBridge rule.
type Rule struct {
	LogicalID, Name, ARN string
	At                   Place
	Bus                  string // name; "default" unless said
	Pattern              json.RawMessage
	Schedule             string // not empty: the rule has a schedule and no pattern
	Enabled              bool
	Targets              []Target
}

// Target is one target of a rule.
type Target struct {
	ID, ARN       string
	Input         *string // constant
	InputPath     string
	InputPaths    map[string]string // InputTransformer
	InputTemplate *string
	Retries       int           // 185 unless said
	MaxAge        time.Duration // 24 h unless said
	DeadLetter    string        // ARN of a queue
	MessageGroup  string        // SqsParameters.MessageGroupId
	// Denied says which permission is missing in the template, so that the real rule delivers nothing here; empty: none.
	Denied string
}

// Queue is AWS::SQS::Queue.
type Queue struct {
	LogicalID, Name, ARN, URL          string
	At                                 Place
	Visibility, Delay, Retention, Wait time.Duration
	FIFO, ContentDedup                 bool
	DeadLetter                         string // ARN
	MaxReceives                        int
}

// Mapping is an event source mapping from a queue to a function.
type Mapping struct {
	LogicalID       string
	At              Place
	Function        string // logical id
	Queue           string // ARN
	BatchSize       int
	Window          time.Duration
	PartialFailures bool
	MaxConcurrency  int // 0: not bounded
	Filters         []json.RawMessage
	Enabled         bool
}

// Table is a DynamoDB table.
type Table struct {
	LogicalID, Name, ARN string
	At                   Place
	Keys                 []Key
	Indexes              []Index
	TTL                  string // attribute; empty: none
}

// Key is a part of a primary key.
type Key struct {
	Name string
	Type string // "S", "N" or "B"
	Sort bool
}

// Index is a secondary index.
type Index struct {
	Name       string
	Keys       []Key
	Projection string   // "ALL", "KEYS_ONLY" or "INCLUDE"
	Attributes []string // for INCLUDE
	Local      bool
}

// Repository is AWS::ECR::Repository.
type Repository struct {
	LogicalID, Name, ARN, URI string
	At                        Place
}

// Output is an output of the template.
type Output struct{ Name, Value, Description string }
