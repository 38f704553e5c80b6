using Spindle.Nvme;

namespace Spindle.UnitTests.Nvme;

public class NqnTests
{
    [Theory]
    [InlineData("nqn.2026-11.io.spindle:demo")]
    [InlineData("nqn.2014-08.org.nvmexpress.discovery")]
    [InlineData("nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")]
    [InlineData("nqn.2014-08.org.nvmexpress:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6")]
    [InlineData("nqn.2016-06.io.spdk:cnode1")]
    [InlineData("nqn.2016-06.io.3com:x")]
    [InlineData("nqn.2016-06.io.spdk:disk:part:ünïcode")]
    public void Valid_names(string nqn)
    {
        Assert.True(Nqn.TryValidate(nqn, out string? error), error);
    }

    [Theory]
    [InlineData(null, "empty")]
    [InlineData("", "empty")]
    [InlineData("nqm.2016-06.io.spdk:cnode1", "starts with")]
    [InlineData("nqn.2016-6.io.spdk:cnode1", "yyyy-mm")]
    [InlineData("nqn.2016-13.io.spdk:cnode1", "yyyy-mm")]
    [InlineData("nqn.2016-00.io.spdk:cnode1", "yyyy-mm")]
    [InlineData("nqn.2016-0", "yyyy-mm")]
    [InlineData("nqn.2016-06:io", "yyyy-mm")]
    [InlineData("nqn.2016-06.io.spdk", "':'")]
    [InlineData("nqn.2016-06.io.spdk:", "':'")]
    [InlineData("nqn.2016-06..spdk:a", "1 to 63")]
    [InlineData("nqn.2016-06.io.-spdk:a", "starts and ends")]
    [InlineData("nqn.2016-06.io.spdk-:a", "starts and ends")]
    [InlineData("nqn.2016-06.io.sp_dk:a", "'_'")]
    [InlineData("nqn.2014-08.org.nvmexpress:uuid:f81d4fae7dec11d0a76500a0c91e6bf6", "UUID")]
    [InlineData("nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf", "UUID")]
    [InlineData("nqn.2016-06.io.spdk:a\0b", "NUL")]
    public void Invalid_names_are_told_why(string? nqn, string reason)
    {
        Assert.False(Nqn.TryValidate(nqn, out string? error));
        Assert.Contains(reason, error);
    }

    [Fact]
    public void Length_counts_bytes_and_ends_at_223()
    {
        string prefix = "nqn.2016-06.io.spdk:";
        Assert.True(Nqn.IsValid(prefix + new string('a', 223 - prefix.Length)));
        Assert.False(Nqn.IsValid(prefix + new string('a', 224 - prefix.Length)));
        Assert.False(Nqn.IsValid(prefix + new string('ü', 110)));
        Assert.False(Nqn.IsValid("nqn.2016-06.io.spdk:\uD800"));
        Assert.True(Nqn.IsValid("nqn.2016-06.io." + new string('b', 63) + ":a"));
        Assert.False(Nqn.IsValid("nqn.2016-06.io." + new string('b', 64) + ":a"));
    }

    [Fact]
    public void Fields_round_trip_and_reject_missing_nul_and_bad_utf8()
    {
        byte[] field = new byte[256];
        Array.Fill(field, (byte)'x');
        Nqn.Write(field, "nqn.2026-11.io.spindle:demo");
        Assert.True(Nqn.TryRead(field, out string nqn));
        Assert.Equal("nqn.2026-11.io.spindle:demo", nqn);
        Assert.Equal(0, field[255]);

        Assert.False(Nqn.TryRead(new byte[256], out _));
        Array.Fill(field, (byte)'x');
        Assert.False(Nqn.TryRead(field, out _));
        field[223] = 0;
        Assert.True(Nqn.TryRead(field, out nqn));
        Assert.Equal(223, nqn.Length);
        field[5] = 0xFF;
        Assert.False(Nqn.TryRead(field, out _));
        Assert.False(Nqn.TryRead([], out _));
        Assert.Throws<ArgumentException>(() => Nqn.Write(field, new string('a', 224)));
    }

    [Fact]
    public void Ascii_fields_pad_with_spaces_and_replace_what_is_not_ascii()
    {
        byte[] field = new byte[8];
        AsciiField.Write(field, "Spin\u00e9");
        Assert.Equal("Spin?   "u8.ToArray(), field);
        Assert.Equal("Spin?", AsciiField.Read(field));
        AsciiField.Write(field, "0123456789");
        Assert.Equal("01234567"u8.ToArray(), field);
        Assert.Equal("ab", AsciiField.Read("ab\0\0"u8));
        Assert.True(AsciiField.Fits("12345678", 8));
        Assert.False(AsciiField.Fits("123456789", 8));
        Assert.False(AsciiField.Fits("a\tb", 8));
    }
}
