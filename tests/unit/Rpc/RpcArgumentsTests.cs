using Spindle.Host.Rpc.Client;

namespace Spindle.UnitTests.Rpc;

public class RpcArgumentsTests
{
    [Theory]
    [InlineData(new string[0], null)]
    [InlineData(new[] { "{\"a\": 1}" }, "{\"a\": 1}")]
    [InlineData(new[] { "name=Malloc0", "size=64", "flag=true", "list=[1,2]", "empty=", "eq=a=b" }, "{\"name\":\"Malloc0\",\"size\":64,\"flag\":true,\"list\":[1,2],\"empty\":\"\",\"eq\":\"a=b\"}")]
    [InlineData(new[] { "name=\"64\"" }, "{\"name\":\"64\"}")]
    public void Parameters_are_taken_as_typed(string[] arguments, string? json) => Assert.Equal(json, RpcArguments.Parse(arguments));

    [Theory]
    [InlineData(new[] { "name" }, "name=value")]
    [InlineData(new[] { "=x" }, "name=value")]
    [InlineData(new[] { "a=1", "a=2" }, "twice")]
    [InlineData(new[] { "{\"a\":1", "b=1" }, "not both")]
    [InlineData(new[] { "{\"a\":1" }, "not valid JSON")]
    public void Others_are_refused_with_a_remedy(string[] arguments, string words) =>
        Assert.Contains(words, Assert.Throws<FormatException>(() => RpcArguments.Parse(arguments)).Message);
}
