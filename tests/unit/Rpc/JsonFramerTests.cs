using System.Diagnostics;
using System.Text;
using Spindle.Host.Rpc.Json;

namespace Spindle.UnitTests.Rpc;

public class JsonFramerTests
{
    static List<string> Frames(byte[] stream, IEnumerable<int> pieces, int max = 1 << 20)
    {
        using var framer = new JsonFramer(max, 64);
        var frames = new List<string>();
        var position = 0;
        foreach (var piece in pieces)
        {
            for (var left = Math.Min(piece, stream.Length - position); left > 0;)
            {
                var memory = framer.ReceiveMemory();
                var count = Math.Min(left, memory.Length);
                stream.AsSpan(position, count).CopyTo(memory.Span);
                framer.Advance(count);
                (position, left) = (position + count, left - count);
                JsonFrame frame;
                while ((frame = framer.Next(out var value)) != JsonFrame.None)
                {
                    frames.Add(frame == JsonFrame.Value ? Encoding.UTF8.GetString(value.Span) : frame.ToString());
                    if (frame == JsonFrame.Invalid)
                    {
                        return frames;
                    }
                }
            }
        }
        return frames;
    }

    static IEnumerable<int> RandomPieces(Random random, int total)
    {
        var largest = random.Next(4) switch { 0 => 1, 1 => 3, 2 => 50, _ => 5000 };
        for (var sum = 0; sum < total;)
        {
            var piece = random.Next(1, largest + 1);
            sum += piece;
            yield return piece;
        }
    }

    [Fact]
    public void Values_come_back_to_back_with_or_without_space()
    {
        var stream = Encoding.UTF8.GetBytes("{\"a\":1}{\"b\":2} [3]\n\n\t{}[]5{}\"x\"true 7 8");
        string[] expected = ["{\"a\":1}", "{\"b\":2}", "[3]", "{}", "[]", "Scalar", "{}", "Scalar", "Scalar", "Scalar", "Scalar"];
        Assert.Equal(expected, Frames(stream, [int.MaxValue]));
    }

    [Fact]
    public void Any_split_gives_the_same_frames()
    {
        var seed = System.Environment.TickCount;
        var random = new Random(seed);
        string[] values = ["{}", "[1,2]", "{\"a\":\"é😀\\ud83d\\ude00\"}", "17", "-0.5e1", "\"s\"", "null", "{\"k\":[[[]]]}", "\n", "  ", "{\"long\":\"" + new string('y', 9000) + "\"}"];
        for (var round = 0; round < 300; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => values[random.Next(values.Length)]));
            var stream = Encoding.UTF8.GetBytes(text);
            if (random.Next(3) == 0)
            {
                stream = JsonScannerTests.Mutate(random, stream);
            }
            var limit = random.Next(2) == 0 ? 1 << 20 : 5000;
            var whole = Frames(stream, [int.MaxValue], limit);
            var split = Frames(stream, RandomPieces(random, stream.Length), limit);
            Assert.True(whole.SequenceEqual(split), $"seed {seed}, round {round}: {Encoding.Latin1.GetString(stream)}");
        }
    }

    [Fact]
    public void A_value_beyond_the_limit_is_reported_once_and_passed_over()
    {
        var stream = Encoding.UTF8.GetBytes("{\"a\":1}{\"b\":\"" + new string('z', 100_000) + "\"}{\"c\":3}");
        string[] expected = ["{\"a\":1}", "TooLarge", "{\"c\":3}"];
        Assert.Equal(expected, Frames(stream, [int.MaxValue], 1000));
        Assert.Equal(expected, Frames(stream, Enumerable.Repeat(7, 20_000), 1000));
    }

    [Fact]
    public void A_value_of_exactly_the_limit_is_taken()
    {
        var value = "{\"b\":\"" + new string('z', 92) + "\"}";
        Assert.Equal([value, "TooLarge"], Frames(Encoding.UTF8.GetBytes(value + " " + value[..^2] + "z\"}"), [int.MaxValue], value.Length));
    }

    [Fact]
    public void Trickled_bytes_cost_linear_time()
    {
        static TimeSpan Trickle(int bytes)
        {
            var stream = Encoding.UTF8.GetBytes("[\"" + new string('a', bytes) + "\"]");
            var watch = Stopwatch.StartNew();
            Assert.Single(Frames(stream, Enumerable.Repeat(1, stream.Length), 8 << 20));
            return watch.Elapsed;
        }

        Trickle(10_000);
        var small = Trickle(100_000);
        var large = Trickle(1_600_000);
        // 16 times the bytes; quadratic work would be 256 times the time.
        Assert.True(large < small * 100 + TimeSpan.FromMilliseconds(200), $"{small} for 100 kB, {large} for 1.6 MB");
    }

    [Fact]
    public void The_end_of_a_stream_inside_a_value_is_known()
    {
        using var framer = new JsonFramer(1000, 64);
        "{\"a\":1} {\"b\""u8.CopyTo(framer.ReceiveMemory().Span);
        framer.Advance(12);
        Assert.Equal(JsonFrame.Value, framer.Next(out _));
        Assert.False(framer.IsInsideValue);
        Assert.Equal(JsonFrame.None, framer.Next(out _));
        Assert.True(framer.IsInsideValue);
    }
}
