using System.Buffers.Binary;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The Asymmetric Namespace Access log page (NVMe Base Specification 2.0, section 5.16.1.13), as one controller sees it.</summary>
internal static class AnaLog
{
    private const int HeaderSize = 16;
    private const int DescriptorSize = 32;

    /// <summary>Makes the page: each group that has namespaces, ascending.</summary>
    public static byte[] Build(NvmfController controller, bool groupsOnly)
    {
        NvmfNamespace[] namespaces = controller.Subsystem.View.Namespaces;
        IGrouping<uint, NvmfNamespace>[] groups = [.. namespaces.GroupBy(ns => ns.AnaGroupId).OrderBy(group => group.Key)];
        byte[] page = new byte[HeaderSize + DescriptorSize * groups.Length + (groupsOnly ? 0 : sizeof(uint) * namespaces.Length)];
        AsymmetricNamespaceAccessLogHeader header = new() { NumberOfAnaGroupDescriptors = (ushort)groups.Length };
        WireBuffer.Write(page, in header);
        int offset = HeaderSize;
        foreach (IGrouping<uint, NvmfNamespace> group in groups)
        {
            uint[] nsids = [.. group.Select(ns => ns.Nsid)];
            AnaGroupDescriptor descriptor = new()
            {
                AnaGroupId = group.Key,
                NumberOfNsidValues = groupsOnly ? 0 : (uint)nsids.Length,
                AnaState = controller.GetAnaState(group.Key),
            };
            WireBuffer.Write(page.AsSpan(offset), in descriptor);
            offset += DescriptorSize;
            if (groupsOnly) continue;
            foreach (uint nsid in nsids)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(offset), nsid);
                offset += sizeof(uint);
            }
        }
        return page;
    }
}
