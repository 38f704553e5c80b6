using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Null;

/// <summary>The module's RPC methods.</summary>
public sealed class NullRpc(IModuleContext context)
{
    /// <summary>Makes a null bdev and returns its name.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter, which is named. EEXIST: the name or UUID is taken.</exception>
    [RpcMethod("bdev_null_create", Summary = "Create a bdev that keeps nothing; returns its name.")]
    public string Create(NullCreateParameters p)
    {
        Require(p.Name.Length > 0, "name is empty.");
        Require(p.NumBlocks > 0, "num_blocks must be above 0.");
        Require(p.BlockSize is > 0 and <= 1 << 20 && p.BlockSize % 512 == 0, $"block_size {p.BlockSize} must be a multiple of 512, from 512 to 1048576.");
        Require(p.PhysicalBlockSize % 512 == 0, $"physical_block_size {p.PhysicalBlockSize} must be a multiple of 512.");
        Require(p.MdSize is 0 or 8 or 16 or 32 or 64 or 128, $"md_size {p.MdSize} must be 0, 8, 16, 32, 64 or 128.");
        Require(p.DifType is >= 0 and <= 3, $"dif_type {p.DifType} must be 0 (none), 1, 2 or 3.");
        Require(p.DifPiFormat <= 2, $"dif_pi_format {p.DifPiFormat} must be 0 (16-bit guard), 1 (32-bit) or 2 (64-bit).");
        Require((UInt128)p.NumBlocks * (p.BlockSize + p.MdSize) <= (UInt128)long.MaxValue, $"num_blocks {p.NumBlocks} of {p.BlockSize} bytes is more than 2^63 bytes.");
        context.Bdevs.Register(Make(p));
        return p.Name;
    }

    /// <summary>Makes a bdev of parameters that were checked.</summary>
    internal static NullBdev Make(NullCreateParameters p)
    {
        var type = (DifType)p.DifType;
        var protection = type == DifType.None ? null : new ProtectionInformation(p.BlockSize, p.MdSize, interleaved: true, p.DifIsHeadOfMd, type,
            ProtectionInformation.DefaultFlags(type), (DifFormat)p.DifPiFormat);
        return new NullBdev(p, protection);
    }

    /// <summary>Deletes a bdev that this module made.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_null_delete", Summary = "Delete a null bdev.")]
    public async Task<bool> DeleteAsync(NullDeleteParameters parameters)
    {
        if (context.Bdevs.Find(parameters.Name) is not NullBdev bdev)
            throw new SpindleException(Errno.ENODEV, $"There is no null bdev '{parameters.Name}'.");
        await context.Bdevs.UnregisterAsync(bdev);
        return true;
    }

    /// <summary>Makes a bdev larger.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev. EINVAL: it is another module's, or the size is smaller than now or too large.</exception>
    [RpcMethod("bdev_null_resize", Summary = "Make a null bdev larger.")]
    public bool Resize(NullResizeParameters parameters)
    {
        const ulong mebibyte = 1 << 20;
        var found = context.Bdevs.Find(parameters.Name) ?? throw new SpindleException(Errno.ENODEV, $"There is no bdev '{parameters.Name}'.");
        Require(found is NullBdev, $"Bdev '{parameters.Name}' is not a null bdev.");
        ulong now = found.BlockCount * found.BlockSize / mebibyte;
        Require(parameters.NewSize >= now, $"new_size {parameters.NewSize} MiB is smaller than the {now} MiB of now: a null bdev can only grow.");
        Require(parameters.NewSize <= long.MaxValue / mebibyte, $"new_size {parameters.NewSize} MiB is more than 2^63 bytes.");
        // A size below one MiB more than now may round to fewer blocks than there are.
        ulong blocks = Math.Max(found.BlockCount, parameters.NewSize * mebibyte / found.BlockSize);
        if (blocks != found.BlockCount) context.Bdevs.Resize(found, blocks);
        return true;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new SpindleException(Errno.EINVAL, message);
    }
}
