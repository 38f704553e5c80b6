using System.Runtime.InteropServices;

namespace Spindle.Bdevs;

/// <summary>How an I/O ended, with the status of the protocol in which the error arose, carried unchanged from the device to the front-end.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct BdevIoResult
{
    private BdevIoResult(BdevIoStatus status, int code, uint cdw0, ulong value)
    {
        Status = status;
        _code = code;
        NvmeCdw0 = cdw0;
        Value = value;
    }

    private readonly int _code;

    /// <summary>The outcome.</summary>
    public BdevIoStatus Status { get; }

    /// <summary>True for <see cref="BdevIoStatus.Success"/>.</summary>
    public bool IsSuccess => Status == BdevIoStatus.Success;

    /// <summary>Dword 0 of the NVMe completion; meaningful for passed-through commands and <see cref="BdevIoStatus.NvmeError"/>.</summary>
    public uint NvmeCdw0 { get; }

    /// <summary>What the type returns: the block found by a seek, the written block of a zone append. With <see cref="IsProtectionError"/>: the block, where it is known. 0 otherwise.</summary>
    public ulong Value { get; }

    /// <summary>With <see cref="BdevIoStatus.NvmeError"/>: status code type (NVMe Base Specification 2.0, figure 94).</summary>
    public byte NvmeStatusCodeType => (byte)(_code >> 8);

    /// <summary>With <see cref="BdevIoStatus.NvmeError"/>: status code.</summary>
    public byte NvmeStatusCode => (byte)_code;

    /// <summary>With <see cref="BdevIoStatus.NvmeError"/>: do not retry.</summary>
    public bool NvmeDoNotRetry => (_code & 0x10000) != 0;

    /// <summary>True when a check of protection information failed, here or in the device: NVMe status 2h/82h to 84h.</summary>
    public bool IsProtectionError => Status == BdevIoStatus.NvmeError && (ushort)_code is >= 0x282 and <= 0x284;

    /// <summary>With <see cref="BdevIoStatus.ScsiError"/>: the SCSI status byte (SAM-5, 5.3.1).</summary>
    public byte ScsiStatus => (byte)_code;

    /// <summary>With <see cref="BdevIoStatus.ScsiError"/>: sense key.</summary>
    public byte ScsiSenseKey => (byte)(_code >> 8);

    /// <summary>With <see cref="BdevIoStatus.ScsiError"/>: additional sense code.</summary>
    public byte ScsiAdditionalSenseCode => (byte)(_code >> 16);

    /// <summary>With <see cref="BdevIoStatus.ScsiError"/>: additional sense code qualifier.</summary>
    public byte ScsiAdditionalSenseCodeQualifier => (byte)(_code >> 24);

    /// <summary>With <see cref="BdevIoStatus.Failed"/>: the positive error number where one is known, else 0.</summary>
    public int ErrorNumber => Status == BdevIoStatus.Failed ? _code : 0;

    /// <summary>An outcome without further detail.</summary>
    public static BdevIoResult Of(BdevIoStatus status) => new(status, 0, 0, 0);

    /// <summary>Success with a value.</summary>
    public static BdevIoResult WithValue(ulong value) => new(BdevIoStatus.Success, 0, 0, value);

    /// <summary>Failed with an error number (either sign); ENOMEM becomes <see cref="BdevIoStatus.NoMemory"/>, ECANCELED <see cref="BdevIoStatus.Aborted"/>.</summary>
    public static BdevIoResult FromErrno(int errno) => Math.Abs(errno) switch
    {
        0 => Of(BdevIoStatus.Success),
        Errno.ENOMEM => Of(BdevIoStatus.NoMemory),
        Errno.ECANCELED => Of(BdevIoStatus.Aborted),
        var e => new(BdevIoStatus.Failed, e, 0, 0),
    };

    /// <summary>An NVMe status; 0/0 is success.</summary>
    public static BdevIoResult FromNvme(byte statusCodeType, byte statusCode, uint cdw0 = 0, bool doNotRetry = false) =>
        new(statusCodeType == 0 && statusCode == 0 ? BdevIoStatus.Success : BdevIoStatus.NvmeError,
            statusCode | statusCodeType << 8 | (doNotRetry ? 0x10000 : 0), cdw0, 0);

    /// <summary>A failed check of a block's protection information.</summary>
    /// <param name="statusCode">The NVMe media and data integrity error: 82h guard, 83h application tag, 84h reference tag (NVM Command Set Specification 1.0, figure 13).</param>
    /// <param name="block">The block, which is the result's <see cref="Value"/>.</param>
    public static BdevIoResult FromProtection(byte statusCode, ulong block) => new(BdevIoStatus.NvmeError, statusCode | 2 << 8, 0, block);

    /// <summary>A SCSI status with sense; status 0 (GOOD) is success.</summary>
    public static BdevIoResult FromScsi(byte status, byte senseKey, byte asc, byte ascq) =>
        new(status == 0 ? BdevIoStatus.Success : BdevIoStatus.ScsiError, status | senseKey << 8 | asc << 16 | ascq << 24, 0, 0);
}
