using System.Text;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.UnitTests.Rpc;

public class RpcJsonReaderTests
{
    static RpcJsonReader Reader(string json) => new(Encoding.UTF8.GetBytes(json));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("-0.0e5", 0)]
    [InlineData("0e99999999999999999999", 0)]
    [InlineData("5.0", 5)]
    [InlineData("1e3", 1000)]
    [InlineData("1.5E1", 15)]
    [InlineData("1500e-2", 15)]
    [InlineData("0.00001e6", 10)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("1844674407370955161500e-2", ulong.MaxValue)]
    public void Numbers_that_equal_integers_are_integers(string json, ulong value) => Assert.Equal(value, Reader(json).ReadUnsigned());

    [Theory]
    [InlineData("1.5", "integer")]
    [InlineData("1e-1", "integer")]
    [InlineData("1e-99999999999999999999", "integer")]
    [InlineData("18446744073709551616", "too large")]
    [InlineData("1e20", "too large")]
    [InlineData("1e99999999999999999999", "too large")]
    [InlineData("99999999999999999999999999999999999999999999", "too large")]
    [InlineData("-1", "negative")]
    [InlineData("\"1\"", "must be a number, not a string")]
    [InlineData("true", "must be a number, not true or false")]
    public void Others_are_refused(string json, string words)
    {
        var error = Assert.Throws<RpcException>(() => Reader(json).ReadUnsigned());
        Assert.Equal(RpcErrorCode.InternalError, error.Code);
        Assert.StartsWith("spdk_json_decode_object failed: params ", error.Message);
        Assert.Contains(words, error.Message);
    }

    [Fact]
    public void Bounds_are_inclusive()
    {
        Assert.Equal(255u, Reader("255").ReadUnsigned(255));
        Assert.Throws<RpcException>(() => Reader("256").ReadUnsigned(255));
        Assert.Equal(long.MinValue, Reader("-9223372036854775808").ReadSigned());
        Assert.Throws<RpcException>(() => Reader("-9223372036854775809").ReadSigned());
        Assert.Equal(-128, Reader("-128").ReadSigned(-128, 127));
        Assert.Throws<RpcException>(() => Reader("-129").ReadSigned(-128, 127));
        Assert.Throws<RpcException>(() => Reader("128").ReadSigned(-128, 127));
    }

    [Fact]
    public void Errors_name_the_place_by_its_path()
    {
        var reader = Reader("{\"namespaces\":[{\"nsid\":1},{\"nsid\":\"two\"}]}");
        reader.BeginObject();
        Assert.True(reader.NextMember(out _));
        reader.BeginArray();
        Assert.True(reader.NextElement());
        reader.Skip();
        Assert.True(reader.NextElement());
        reader.BeginObject();
        Assert.True(reader.NextMember(out var name));
        Assert.Equal("nsid", name);
        Assert.Equal("params.namespaces[1].nsid", reader.Path);
        Assert.Contains("params.namespaces[1].nsid must be a number", Assert.Throws<RpcException>(() => reader.ReadUnsigned()).Message);
    }

    [Fact]
    public void A_missing_member_is_named_after_its_object_is_left()
    {
        var reader = Reader("{\"a\":{}}");
        reader.BeginObject();
        reader.NextMember(out _);
        reader.BeginObject();
        Assert.False(reader.NextMember(out _));
        Assert.Contains("params.a.name is missing", reader.MissingMember("name").Message);
    }

    [Fact]
    public void An_unknown_member_is_named_with_those_there_are()
    {
        var reader = new RpcJsonReader("{\"x\":1}"u8.ToArray(), known: [new("name", "string", true, ""), new("size", "number", false, "")]);
        reader.BeginObject();
        reader.NextMember(out var name);
        var message = reader.UnknownMember(name).Message;
        Assert.Contains("params.x is not known", message);
        Assert.Contains("name, size", message);
    }

    [Theory]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("{\"a\":1,\"\\u0061\":2}")]
    public void Members_given_twice_are_refused(string json)
    {
        var reader = Reader(json);
        reader.BeginObject();
        reader.NextMember(out _);
        reader.Skip();
        Assert.Contains("params.a is there twice", Assert.Throws<RpcException>(() => reader.NextMember(out _)).Message);
    }

    [Fact]
    public void Many_members_are_checked_for_doubles_too()
    {
        var names = Enumerable.Range(0, 500).Select(i => $"\"n{i}\":{i}");
        var reader = Reader("{" + string.Join(",", names.Append("\"n3\":0")) + "}");
        reader.BeginObject();
        for (var i = 0; i < 500; i++)
        {
            Assert.True(reader.NextMember(out _));
            reader.Skip();
        }
        Assert.Throws<RpcException>(() => reader.NextMember(out _));
    }

    [Fact]
    public void Strings_are_decoded() => Assert.Equal("a\"\\/\b\f\n\r\té😀é", Reader("\"a\\\"\\\\\\/\\b\\f\\n\\r\\té😀\\u00e9\"").ReadString());

    [Fact]
    public void Skip_passes_over_any_value()
    {
        var reader = Reader("{\"a\":[{\"b\":\"]}\\\"\"},-1.5e3,null,[true,false]],\"c\":7}");
        reader.BeginObject();
        reader.NextMember(out _);
        reader.Skip();
        Assert.True(reader.NextMember(out var name));
        Assert.Equal("c", name);
        Assert.Equal(7u, reader.ReadUnsigned());
        Assert.False(reader.NextMember(out _));
    }

    [Fact]
    public void Positional_parameters_are_refused_in_words() =>
        Assert.Contains("must be an object with named members", Assert.Throws<RpcException>(() => Reader("[1]").BeginObject()).Message);
}
