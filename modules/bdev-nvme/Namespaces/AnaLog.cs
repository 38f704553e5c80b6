using System.Buffers.Binary;
using Spindle.Nvme;
using Spindle.Nvme.LogPages;

namespace Spindle.Bdev.Nvme.Namespaces;

/// <summary>The Asymmetric Namespace Access log page (NVMe Base Specification 2.0, 5.16.1.13).</summary>
internal static class AnaLog
{
    private const int HeaderSize = 16, DescriptorSize = 32;

    /// <summary>The state of each namespace in it. What reaches beyond the bytes that are there is left out.</summary>
    internal static Dictionary<uint, AnaState> Parse(ReadOnlySpan<byte> log)
    {
        var states = new Dictionary<uint, AnaState>();
        if (log.Length < HeaderSize) return states;
        int groups = WireBuffer.Read<AsymmetricNamespaceAccessLogHeader>(log).NumberOfAnaGroupDescriptors;
        log = log[HeaderSize..];
        for (int i = 0; i < groups && log.Length >= DescriptorSize; i++)
        {
            var group = WireBuffer.Read<AnaGroupDescriptor>(log);
            log = log[DescriptorSize..];
            uint count = Math.Min(group.NumberOfNsidValues, (uint)log.Length / 4);
            for (int n = 0; n < count; n++) states[BinaryPrimitives.ReadUInt32LittleEndian(log[(n * 4)..])] = group.AnaState;
            log = log[((int)count * 4)..];
        }
        return states;
    }
}
