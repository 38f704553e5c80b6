using Spindle.Host.Hosting;

namespace Spindle.UnitTests.Hosting;

public sealed class CoreMaskTests
{
    [Theory]
    [InlineData("0x1", new[] { 0 })]
    [InlineData("0xF0", new[] { 4, 5, 6, 7 })]
    [InlineData("5", new[] { 0, 2 })]
    [InlineData("0x80000000000000000", new[] { 67 })]
    [InlineData("[0]", new[] { 0 })]
    [InlineData("[3, 0-1,1]", new[] { 0, 1, 3 })]
    public void Masks_and_lists_name_cores(string text, int[] expected) => Assert.Equal(expected, CoreMask.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("0")]
    [InlineData("0xg")]
    [InlineData("-1")]
    [InlineData("[]")]
    [InlineData("[1")]
    [InlineData("[2-1]")]
    [InlineData("[1-2-3]")]
    [InlineData("[99999]")]
    [InlineData("[a]")]
    public void What_is_neither_is_refused_with_the_remedy(string text) =>
        Assert.Contains("[0,2-3]", Assert.Throws<SpindleException>(() => CoreMask.Parse(text)).Message);
}
