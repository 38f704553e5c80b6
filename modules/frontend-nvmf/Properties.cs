using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Spindle.NvmfTests")]
