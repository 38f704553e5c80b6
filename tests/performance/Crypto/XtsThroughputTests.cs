using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Spindle.Bdev.Crypto.Xts;

namespace Spindle.PerformanceTests.Crypto;

/// <summary>The cipher of bdev-crypto beside OpenSSL's, in turns on one core: run by hand, on a machine that does nothing else (modules/bdev-crypto/README.md has the command).</summary>
public sealed unsafe class XtsThroughputTests
{
    private const int Rounds = 7;
    private const double Bar = 0.8;

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void It_is_as_fast_as_openssl()
    {
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine("| cipher | block | OpenSSL | encrypt | decrypt | encrypt/OpenSSL | decrypt/OpenSSL |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        var ratios = new List<double>();
        foreach (int bits in new[] { 128, 256 })
        {
            byte[] key1 = new byte[bits / 8], key2 = new byte[bits / 8];
            Random.Shared.NextBytes(key1);
            Random.Shared.NextBytes(key2);
            using var key = new AesXtsKey(key1, key2);
            Assert.True(AesXtsKey.IsAccelerated, "this processor has no instructions for AES");
            using var xts = key.CreateCipher();
            foreach (uint block in new uint[] { 4096, 16384 })
            {
                // Compiled before it is measured.
                for (int i = 0; i < 3; i++) Own(xts, block, encrypt: i % 2 == 0, TimeSpan.FromSeconds(0.3));
                List<double> openssl = [], encrypt = [], decrypt = [];
                for (int round = 0; round < Rounds; round++)
                {
                    openssl.Add(OpenSsl(bits, block));
                    encrypt.Add(Own(xts, block, encrypt: true, TimeSpan.FromSeconds(1)));
                    decrypt.Add(Own(xts, block, encrypt: false, TimeSpan.FromSeconds(1)));
                }
                double peer = Median(openssl);
                ratios.AddRange([Median(encrypt) / peer, Median(decrypt) / peer]);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| AES-{bits} | {block / 1024} KiB | {peer:0.00} GB/s | {Median(encrypt):0.00} GB/s | {Median(decrypt):0.00} GB/s | {ratios[^2]:0.00} | {ratios[^1]:0.00} |"));
            }
        }
        Assert.All(ratios, ratio => Assert.True(ratio >= Bar, $"{ratio:0.00} is below {Bar:0.00}"));
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>GB/s of one data unit after another in a buffer that stays in the cache, as OpenSSL measures.</summary>
    private static double Own(AesXts xts, uint block, bool encrypt, TimeSpan time)
    {
        byte[] data = GC.AllocateArray<byte>((int)block + 64, pinned: true);
        fixed (byte* start = data)
        {
            byte* at = (byte*)(((nint)start + 63) & ~63);
            long units = 0;
            var clock = Stopwatch.StartNew();
            do
            {
                for (int i = 0; i < 100; i++, units++)
                {
                    if (encrypt) xts.Encrypt(at, at, block, 1, (ulong)units);
                    else xts.Decrypt(at, at, block, 1, (ulong)units);
                }
            }
            while (clock.Elapsed < time);
            return units * (double)block / clock.Elapsed.TotalSeconds / 1e9;
        }
    }

    /// <summary>GB/s that OpenSSL's own measurement gives.</summary>
    private static double OpenSsl(int bits, uint block)
    {
        Process? process;
        try
        {
            process = Process.Start(new ProcessStartInfo("openssl", ["speed", "-seconds", "1", "-bytes", block.ToString(CultureInfo.InvariantCulture), "-evp", $"aes-{bits}-xts"])
            {
                RedirectStandardOutput = true, RedirectStandardError = true,
            });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("there is no openssl");
            return 0;
        }
        using var tool = process!;
        var errors = tool.StandardError.ReadToEndAsync();
        string text = tool.StandardOutput.ReadToEnd();
        tool.WaitForExit();
        var figure = Regex.Match(text, @"^AES-\d+-XTS\s+([\d.]+)k", RegexOptions.Multiline | RegexOptions.IgnoreCase);
        Assert.True(tool.ExitCode == 0 && figure.Success, text + errors.Result);
        return double.Parse(figure.Groups[1].Value, CultureInfo.InvariantCulture) / 1e6;
    }
}
