/** The types that callers of the client work with; they live beside the wire format they mirror. */

export type { DataEvent, FetchEvent } from "../wire/fetch_event.ts";
export type { FetchRequest } from "../wire/fetch_request.ts";
export type {
  AnswerItems,
  AskArguments,
  DirectoryReport,
  ExplainReport,
  FileReport,
  FileTrust,
  HolderReport,
  InfoReport,
  PeerFileReport,
  PeerReport,
  PushReport,
  SavingsReport,
  SearchReport,
  ShareReport,
  StatusReport,
  SyncDatabaseReport,
  TransferReport,
  UploadReport,
  VerifyReport,
} from "../wire/reports.ts";
