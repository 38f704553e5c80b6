using System.CommandLine;
using System.Text;
using Spindle.Bench;
using Spindle.Bench.Command;

Console.OutputEncoding = Encoding.UTF8;
try
{
    // Exceptions come here; the parser's own handler would print a stack trace.
    return await BenchCommand.Create().Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (BenchException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
