package wire_test

import (
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// message makes a message with one field x, of the given kind and option, and fills it from JSON.
func message(t *testing.T, kind descriptorpb.FieldDescriptorProto_Type, list bool, option protoreflect.ExtensionType, value any, json string) proto.Message {
	t.Helper()
	is := is.New(t)
	options := &descriptorpb.FieldOptions{}
	proto.SetExtension(options, option, value)
	label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
	if list {
		label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	}
	field := &descriptorpb.FieldDescriptorProto{Name: proto.String("x"), JsonName: proto.String("x"), Number: proto.Int32(1), Type: &kind, Label: &label, Options: options}
	if kind == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
		field.TypeName = proto.String(".regcast.M")
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("regcast.proto"), Package: proto.String("regcast"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M"), Field: []*descriptorpb.FieldDescriptorProto{field}}},
	}, protoregistry.GlobalFiles)
	is.NoErr(err)
	m := dynamicpb.NewMessage(file.Messages().Get(0))
	is.NoErr(protojson.Unmarshal([]byte(json), m))
	return m
}

const (
	aDouble  = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
	aBool    = descriptorpb.FieldDescriptorProto_TYPE_BOOL
	anInt    = descriptorpb.FieldDescriptorProto_TYPE_INT64
	aUint    = descriptorpb.FieldDescriptorProto_TYPE_UINT64
	aString  = descriptorpb.FieldDescriptorProto_TYPE_STRING
	aMessage = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
)

// What no served proto has today and the next version may.
func TestOtherRules(t *testing.T) {
	is := is.New(t)
	is.NoErr(wire.Check(message(t, aDouble, false, cloud.E_Value, "0.5-1.5", `{"x":0.5}`)))
	is.Equal(violations(wire.Check(message(t, aDouble, false, cloud.E_Value, "0.5-1.5", `{"x":1.6}`))), []string{"x: got 1.6, want 0.5-1.5"})
	is.Equal(violations(wire.Check(message(t, aDouble, false, cloud.E_Value, ">=0", `{"x":"NaN"}`))), []string{"x: got NaN, want at least 0"})
	// 0 and false may be meant.
	is.NoErr(wire.Check(message(t, aBool, false, cloud.E_Required, true, `{}`)))
	is.NoErr(wire.Check(message(t, anInt, false, cloud.E_Required, true, `{}`)))
	is.Equal(violations(wire.Check(message(t, anInt, true, cloud.E_Required, true, `{}`))), []string{"x: is required"})
	is.Equal(violations(wire.Check(message(t, anInt, true, cloud.E_Unique, true, `{"x":[7,8,7]}`))), []string{`x[2]: got "7" again, want every element once`})
	// A message in itself, and rules that are switched off.
	is.NoErr(wire.Check(message(t, aMessage, false, cloud.E_Required, false, `{"x":{"x":{}}}`)))
	is.Equal(violations(wire.Check(message(t, aMessage, true, cloud.E_Size, "1", `{"x":[{"x":[{}]}]}`))), []string{"x[0].x[0].x: got no elements, want 1"})
}

// An option that is not understood is never passed over.
func TestRulesNotUnderstood(t *testing.T) {
	for _, c := range []struct {
		kind   descriptorpb.FieldDescriptorProto_Type
		option protoreflect.ExtensionType
		value  any
		want   string
	}{
		{anInt, cloud.E_Value, "many", `regcast.M.x: rule "many": strconv.ParseInt: parsing "many": invalid syntax`},
		{anInt, cloud.E_Pattern, "[a-z]", `regcast.M.x: pattern "[a-z]" of a int64`},
		{anInt, cloud.E_Length, "<=5", `regcast.M.x: length "<=5" of a int64`},
		{anInt, cloud.E_Size, "<=5", `regcast.M.x: size "<=5" of what is neither list nor map`},
		{aString, cloud.E_Value, "a,b", `regcast.M.x: value "a,b" of a string`},
		{aUint, cloud.E_Value, ">0", `regcast.M.x: value ">0" of a uint64`},
		{aMessage, cloud.E_Value, ">0", `regcast.M.x: value ">0" of a regcast.M`},
		{aString, cloud.E_Pattern, "a**", "regcast.M.x: error parsing regexp: invalid nested repetition operator: `**`"},
		{aString, cloud.E_MapKey, &cloud.MapKeySpec{Value: "x"}, `regcast.M.x: map_key: value "x"`},
		{aString, cloud.E_MapKey, &cloud.MapKeySpec{Pattern: "("}, "regcast.M.x: error parsing regexp: missing closing ): `\\A(?:()\\z`"},
	} {
		is := is.New(t)
		err := wire.Check(message(t, c.kind, false, c.option, c.value, `{}`))
		is.True(err != nil)
		is.True(status.Code(err) == codes.Unknown) // a mistake in the proto, not in the request
		is.Equal(err.Error(), c.want)
	}
}
