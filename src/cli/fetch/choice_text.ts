/** What a person is told where several files go by the name that is fetched. No I/O. */

import { type OfKind, unreachable } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import type { FetchEvent, FetchRequest } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import { clientFlags, commandLine, type FlagWord, isShownAsIs } from "../terminal/command_words.ts";
import { count, formatBytes } from "../terminal/text_format.ts";
import { clientOf, type FetchPlan } from "./fetch_plan.ts";

type ChoiceEvent = OfKind<FetchEvent, "choice">;

/** Another file of the name, as it is told. */
type ToldOther = ChoiceEvent["others"][number] & {
  /** The command that fetches it. */
  readonly command: string;
};

/** A choice as it is told: each of the others with the command that takes it. */
export type ToldChoice = Omit<ChoiceEvent, "others"> & {
  /** The others, the most widely offered first. */
  readonly others: readonly ToldOther[];
  /** The command that names all files of the name; null where all are told here. */
  readonly moreCommand: string | null;
};

/** A choice with the commands. */
export function toldChoice(choice: ChoiceEvent, plan: FetchPlan): ToldChoice {
  const others = choice.others.map((other) => ({ ...other, command: fetchOf(other.root, plan) }));
  const moreCommand = choice.more === 0
    ? null
    : commandLine("info", clientFlags(clientOf(plan)), plan.request.name);
  return { ...choice, others, moreCommand };
}

/** Whether any file of the name will do. */
export function isByNameAlone(
  { name, root, sha256, sizeBytes }: Pick<FetchRequest, "name" | "root" | "sha256" | "sizeBytes">,
): boolean {
  return name !== "" && root === null && sha256 === null && sizeBytes === null;
}

/** That the file of a name was here, so that nobody said whether there are others of the name. */
export function hereLine(name: string): string {
  return `No other node was asked, for ${name} is here: \`${
    commandLine("info", [], name)
  }\` says ` +
    "whether other files go by the name.";
}

/** Lines that say what was taken and why, and how to have another. */
export function choiceLines(name: string, choice: ToldChoice): string[] {
  const { root, sizeBytes, others, more, moreCommand } = choice;
  const files = others.length + more + 1;
  return [
    `${files} different files go by the name ${name}. This is the one with root ${root}, ` +
    `${formatBytes(sizeBytes)}: ${whyText(choice)}.`,
    ...others.map((other) => `Another one, ${otherText(other)}: ${other.command}`),
    ...moreCommand === null ? [] : [`${more} more: \`${moreCommand}\` names them.`],
  ];
}

function whyText({ why, nodes }: ToldChoice): string {
  switch (why) {
    case "here":
      return "it is here already";
    case "sync-db":
      return "a package database has its SHA-256";
    case "listed":
      return "a directory names it, and not the others";
    case "mirror":
      return "it is that of the URL or mirror";
    case "offers":
      return `more nodes offer it, ${nodes}`;
    case "first":
      return "it was found first, and no other is offered by more nodes";
    default:
      return unreachable(why);
  }
}

function otherText({ sizeBytes, nodes }: ToldOther): string {
  const where = nodes === 0 ? "here as well" : `offered by ${count(nodes, "node")}`;
  return `${formatBytes(sizeBytes)}, ${where}`;
}

/** The command that fetches a root in place of what this plan took, as a shell reads it. */
function fetchOf(root: Root, plan: FetchPlan): string {
  const { request: { name }, output, isAlone, peers, directories } = plan;
  const isCopied = isShownAsIs(name);
  return commandLine(
    "fetch",
    [
      ...isCopied ? [["root", root]] satisfies FlagWord[] : [],
      ...output === undefined ? [] : [["output", output]] satisfies FlagWord[],
      ...clientFlags(clientOf(plan)),
      ...isAlone ? [["alone", true]] satisfies FlagWord[] : [],
      ...peers.map((peer): FlagWord => ["peer", formatAddress(peer)]),
      ...directories.map((directory): FlagWord => ["directory", formatAddress(directory)]),
    ],
    isCopied ? name : root,
  );
}
