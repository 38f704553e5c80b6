namespace Spindle.Bdevs;

/// <summary>How the protection information of a block is laid out. The values are SPDK's <c>dif_pi_format</c>
/// (NVM Command Set Specification 1.0, 5.2.1, figures 123 to 125).</summary>
public enum DifFormat : byte
{
    /// <summary>8 bytes: 16-bit guard, application tag, 32-bit reference tag.</summary>
    Guard16 = 0,
    /// <summary>16 bytes: 32-bit guard, application tag, of the remaining 80 bits the low 64 as reference tag.</summary>
    Guard32 = 1,
    /// <summary>16 bytes: 64-bit guard, application tag, 48-bit reference tag.</summary>
    Guard64 = 2,
}
