/**
 * Answers to requests that bring a body of their own, which nobody here reads. The server would keep
 * the connection of such a client for as long as that body does not come.
 */

/** Whether a request says that a body follows. */
export function hasBody({ headers }: Request): boolean {
  const length = headers.get("content-length");
  return headers.has("transfer-encoding") || length !== null && !/^0*$/.test(length.trim());
}

/**
 * The same answer, and the end of its connection. That is the way to have one ended: the server
 * breaks off when a body fails, here after all of it was given. One to a HEAD has none that could
 * fail: its connection goes when the server next ends those that nobody uses.
 */
export function closeAfterResponse(answer: Response): Response {
  const { status, headers } = answer;
  headers.set("connection", "close");
  const reader = answer.body?.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const read = await reader?.read();
      if (read === undefined || read.done) controller.error(new Error("the connection ends here"));
      else controller.enqueue(read.value);
    },
  });
  return new Response(body, { status, headers });
}
