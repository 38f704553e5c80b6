using System.Text;
using System.Text.Json;
using Spindle.Host.Rpc.Json;

namespace Spindle.UnitTests.Rpc;

public class JsonScannerTests
{
    internal static JsonScanResult Scan(ReadOnlySpan<byte> text, out string error)
    {
        var scanner = new JsonScanner(64);
        var position = 0;
        var result = scanner.Scan(text, ref position);
        error = scanner.Error;
        if (result == JsonScanResult.More && scanner.IsNumberThatMayEnd)
        {
            return JsonScanResult.Value;
        }
        return result == JsonScanResult.Value && position < text.TrimEnd(" \t\r\n"u8).Length ? JsonScanResult.Invalid : result;
    }

    [Theory]
    [InlineData("{}")]
    [InlineData(" [ ] ")]
    [InlineData("{\"a\":[1,-0,0.5,1e3,1E+3,2.5e-10,true,false,null,\"x\\u00e9\\ud83d\\ude00\\n\\/\"]}")]
    [InlineData("\"é😀\u007f\u2028\"")]
    [InlineData("0")]
    [InlineData("-1.0e-0")]
    [InlineData("{\"\":{\"\":[[],{}]}}")]
    public void Takes_what_is_json(string text) => Assert.Equal(JsonScanResult.Value, Scan(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("{\"a\":1,}")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("[1 2]")]
    [InlineData("{\"a\" 1}")]
    [InlineData("{\"a\":1 \"b\":2}")]
    [InlineData("{a:1}")]
    [InlineData("{'a':1}")]
    [InlineData("{1:1}")]
    [InlineData("{\"a\":}")]
    [InlineData("[1}")]
    [InlineData("{]")]
    [InlineData("]")]
    [InlineData("/* c */{}")]
    [InlineData("{ // c\n}")]
    [InlineData("{/**/}")]
    [InlineData("[01]")]
    [InlineData("[-]")]
    [InlineData("[-01]")]
    [InlineData("[+1]")]
    [InlineData("[.5]")]
    [InlineData("[1.]")]
    [InlineData("[1e]")]
    [InlineData("[1e+]")]
    [InlineData("[1.2.3]")]
    [InlineData("[1e2e3]")]
    [InlineData("[0x10]")]
    [InlineData("[NaN]")]
    [InlineData("[Infinity]")]
    [InlineData("[True]")]
    [InlineData("[tru]")]
    [InlineData("[nul]")]
    [InlineData("garbage")]
    [InlineData("[\"\t\"]")]
    [InlineData("[\"\n\"]")]
    [InlineData("[\"\\x\"]")]
    [InlineData("[\"\\u12g4\"]")]
    [InlineData("[\"\\ud800\"]")]
    [InlineData("[\"\\ud800x\"]")]
    [InlineData("[\"\\ud800\\n\"]")]
    [InlineData("[\"\\ud800\\u0041\"]")]
    [InlineData("[\"\\udc00\"]")]
    [InlineData("[\"\\udc00\\ud800\"]")]
    [InlineData("\ufeff{}")]
    [InlineData("\0")]
    [InlineData("[1]]")]
    public void Refuses_what_is_not(string text)
    {
        Assert.Equal(JsonScanResult.Invalid, Scan(Encoding.UTF8.GetBytes(text), out _));
    }

    [Theory]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0xc0, 0xaf })]
    [InlineData(new byte[] { 0xc3, 0x28 })]
    [InlineData(new byte[] { 0xe0, 0x80, 0xaf })]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80 })]
    [InlineData(new byte[] { 0xf0, 0x80, 0x80, 0xaf })]
    [InlineData(new byte[] { 0xf4, 0x90, 0x80, 0x80 })]
    [InlineData(new byte[] { 0xf5, 0x80, 0x80, 0x80 })]
    [InlineData(new byte[] { 0xe2, 0x82 })]
    [InlineData(new byte[] { 0xff })]
    public void Refuses_bad_utf8(byte[] bytes)
    {
        Assert.Equal(JsonScanResult.Invalid, Scan([(byte)'"', .. bytes, (byte)'"'], out var error));
        Assert.Contains("UTF-8", error);
    }

    [Fact]
    public void Takes_64_levels_and_no_more()
    {
        Assert.Equal(JsonScanResult.Value, Scan(Encoding.UTF8.GetBytes(new string('[', 64) + new string(']', 64)), out _));
        Assert.Equal(JsonScanResult.Invalid, Scan(Encoding.UTF8.GetBytes(new string('[', 65) + new string(']', 65)), out var error));
        Assert.Contains("64", error);
    }

    [Fact]
    public void Agrees_with_the_framework_reader_on_mutated_texts()
    {
        var seed = System.Environment.TickCount;
        var random = new Random(seed);
        byte[][] sources =
        [
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"b\":[1,2.5e-3,true,null,\"x\\u00e9\\\\\"],\"c\":{}}}"u8.ToArray(),
            "[-0.0,0,10,\"\\u0041\\n\",{\"é€😀\":[[],[{}]]},false]"u8.ToArray(),
        ];
        var valid = 0;
        for (var i = 0; i < 30_000; i++)
        {
            var text = Mutate(random, sources[random.Next(sources.Length)]);
            var expected = FrameworkTakes(text);
            var taken = Scan(text, out var error) == JsonScanResult.Value;
            valid += taken ? 1 : 0;
            Assert.True(expected == taken, $"seed {seed}, text {Encoding.Latin1.GetString(text)}: the framework {(expected ? "takes" : "refuses")} it; {error}");
        }
        Assert.InRange(valid, 1000, 29_000); // both outcomes were tried
    }

    internal static byte[] Mutate(Random random, byte[] source)
    {
        var text = source.ToList();
        for (var edits = random.Next(3); edits >= 0; edits--)
        {
            if (text.Count == 0)
            {
                text.Add((byte)' '); // edits before this one have taken all there was
            }
            var at = random.Next(text.Count);
            var c = "{}[]\",:\\/0123456789eE+-. tfnu\n\x01\x80\xc3\xff"[random.Next(31)];
            switch (random.Next(4))
            {
                case 0: text[at] = (byte)c; break;
                case 1: text.Insert(at, (byte)c); break;
                case 2: text.RemoveAt(at); break;
                default: text[at] = text[random.Next(text.Count)]; break;
            }
        }
        return [.. text];
    }

    /// <summary>System.Text.Json's opinion; it takes lone surrogate escapes until they are read, so they are read.</summary>
    static bool FrameworkTakes(byte[] text)
    {
        try
        {
            var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = 64 });
            var any = false;
            while (reader.Read())
            {
                any = true;
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    reader.GetString();
                }
            }
            return any;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
