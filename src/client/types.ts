/** The types that callers of the client work with; they live beside the wire format they mirror. */

export type { FetchEvent } from "../wire/fetch_event.ts";
export type { FetchRequest } from "../wire/fetch_request.ts";
export type {
  AnswerItems,
  AskArguments,
  DirectoryReport,
  ExplainReport,
  FileReport,
  HolderReport,
  InfoReport,
  PeerFileReport,
  PeerReport,
  PushReport,
  SearchReport,
  ShareReport,
  StatusReport,
  SyncDatabaseReport,
  TransferReport,
  UploadReport,
  VerifyReport,
} from "../wire/reports.ts";
