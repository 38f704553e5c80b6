using Spindle.Host.Modules;

namespace Spindle.UnitTests.Modules;

public sealed class ModuleVersionTests
{
    [Fact]
    public void Orders_as_semantic_versioning_says()
    {
        // SemVer 2.0.0, 11.4's own example, between two releases.
        string[] ascending =
        [
            "0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
        ];
        var versions = ascending.Select(text => ModuleVersion.TryParse(text, out var v) ? v : throw new InvalidOperationException(text)).ToArray();
        for (int i = 0; i < versions.Length; i++)
            for (int j = 0; j < versions.Length; j++)
                Assert.Equal(Math.Sign(i.CompareTo(j)), Math.Sign(versions[i].CompareTo(versions[j])));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3.4")]
    [InlineData("1..2")]
    [InlineData("-1.0.0")]
    [InlineData("1.0.0-")]
    [InlineData("1.0.0-a_b")]
    [InlineData("99999999999.0.0")]
    [InlineData(" 1.0.0")]
    public void Refuses_what_is_no_version(string text) => Assert.False(ModuleVersion.TryParse(text, out _));

    [Theory]
    [InlineData("1.2.3", "1.2.3", true)]
    [InlineData("1.2.3", "1.2.4", false)]
    [InlineData("[1.0, 2.0)", "1.0.0", true)]
    [InlineData("[1.0, 2.0)", "1.99.0", true)]
    [InlineData("[1.0, 2.0)", "2.0.0", false)]
    [InlineData("[1.0, 2.0)", "0.9.0", false)]
    public void Ranges_hold_their_first_and_not_their_last(string range, string version, bool expected)
    {
        Assert.True(VersionRange.TryParse(range, out var r));
        Assert.True(ModuleVersion.TryParse(version, out var v));
        Assert.Equal(expected, r.Contains(v));
    }

    [Theory]
    [InlineData("[1.0, 2.0]")]
    [InlineData("(1.0, 2.0)")]
    [InlineData("[1.0)")]
    [InlineData("[2.0, 1.0)")]
    [InlineData("[1.0, 2.0, 3.0)")]
    [InlineData("")]
    public void Refuses_what_is_no_range(string text) => Assert.False(VersionRange.TryParse(text, out _));
}
