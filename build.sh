#!/usr/bin/env bash
# The door to build.cake: checks the SDK, restores the build tool, hands over. Works from any directory.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: ./build.sh TARGET [arguments]

  build                     build everything (Release); the command line is artifacts/spindle
  test  [--filter F]        build, then run all tests; ends with "N passed, N failed, N skipped"
        [--fast]            without the tests of Category Slow
        [--project NAME]    only the test projects whose name contains NAME; repeatable
        [--timeout MINUTES] time limit of one test project (15)
  run   [APP_DIR] [...]     build, then 'spindle run' APP_DIR (apps/nvmf_tgt) with the rest of the arguments
  deps                      install by apt what the interop tests need, and prepare their guest
  bench [SCENARIO...] [...] build, then measure; --list, --peer DIR, --baseline FILE … (bench --help)
  pack                      build the NuGet packages: artifacts/packages
  app   --app NAME          lay out artifacts/apps/NAME: spindle and only what apps/NAME/app.json names

F is a part of a test's full name (A*B may stand for anything between), Category=X, Category!=X, several of these
joined by '&', or a query of xunit's that starts with '/'.
Every target takes --verbose: the output of the tools themselves.
HELP
}

fail() { echo "build.sh: $*" >&2; exit 1; }

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)
target=${1:-}
[ $# -eq 0 ] || shift
case $target in
  build | test | run | deps | bench | pack | app) ;;
  -h | --help | help) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
  *) echo "build.sh: there is no target '$target'" >&2; usage >&2; exit 2 ;;
esac
case " ${1:-} " in ' -h ' | ' --help ') [ "$target" = run ] || [ "$target" = bench ] || { usage; exit 0; } ;; esac

# --- the SDK -------------------------------------------------------------------------------------------------
if ! command -v dotnet >/dev/null && [ -x "${HOME:-/nowhere}/.dotnet/dotnet" ]; then
  PATH=$HOME/.dotnet:$PATH # where dotnet-install.sh puts it
fi
command -v dotnet >/dev/null ||
  fail "needs the .NET 10 SDK, and there is no 'dotnet' on the PATH: https://dotnet.microsoft.com/download/dotnet/10.0"
(cd "$root" && dotnet --version >/dev/null 2>&1) ||
  fail "needs the .NET 10 SDK (https://dotnet.microsoft.com/download/dotnet/10.0); $(command -v dotnet) has:
$(cd / && dotnet --list-sdks 2>&1 | sed 's/^/  /')"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
# An SDK outside the places where programs look for it (~/.dotnet, /opt) is found by DOTNET_ROOT only.
dotnet_home=$(dirname -- "$(readlink -f -- "$(command -v dotnet)")")
if [ -z "${DOTNET_ROOT:-}" ] && [ -d "$dotnet_home/host/fxr" ]; then export DOTNET_ROOT=$dotnet_home; fi
if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then # a user without a home, as in containers
  mkdir -p "$root/artifacts/.home"
  export HOME=$root/artifacts/.home DOTNET_CLI_HOME=$root/artifacts/.home
fi

# --- the build tool ------------------------------------------------------------------------------------------
cake() { # TARGET [arguments]
  local target=$1 manifest=.config/dotnet-tools.json version
  shift
  cd "$root"
  version=$(sed -n 's/.*"version": "\([0-9.]*\)",.*/\1/p' $manifest | tail -1)
  if [ ! artifacts/.cake/restored -nt $manifest ] || [ ! -d "${NUGET_PACKAGES:-$HOME/.nuget/packages}/cake.tool/$version" ] ||
    [ "$(cat artifacts/.cake/restored)" != "$HOME" ]; then
    mkdir -p artifacts/.cake
    dotnet tool restore >artifacts/.cake/restore.log 2>&1 ||
      { cat artifacts/.cake/restore.log >&2; fail "could not restore the build tool named in $manifest"; }
    echo "$HOME" >artifacts/.cake/restored
  fi
  # The arguments go by the environment: Cake would take some of them for its own.
  SPINDLE_BUILD_ARGUMENTS=$(printf '%s\n' "$@") \
    dotnet cake build.cake --target="$target" --verbosity=quiet --settings_enablescriptcache=true --paths_tools=artifacts/.cake
}

# run and bench replace this shell, so that signals and the exit status are the program's own.
case $target in
  run)
    (cake build) || exit
    app=$root/apps/nvmf_tgt
    if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then app=$1; shift; fi
    exec "$root/artifacts/spindle" run "$app" "$@" ;;
  bench)
    bench=$root/tests/bench/bin/Release/net10.0/Spindle.Bench
    case " $* " in *' --list '* | *' --help '* | *' -h '*) [ ! -x "$bench" ] || exec "$bench" "$@" ;; esac
    (cake build) || exit
    exec "$bench" "$@" ;;
  *) cake "$target" "$@" ;;
esac
