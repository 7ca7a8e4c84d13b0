/** Host and port to listen on or to dial; port 0 lets the system choose. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}
